// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Memory/Planner/Csv.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace ashlar::planner {
namespace {

enum Column { Id, Lower, Upper, Size, Alignment, Gaps, Offset, Hint, AliasOf, NumColumns };
constexpr const char *kNames[] = {"id",   "lower",  "upper", "size", "alignment",
                                  "gaps", "offset", "hint",  "alias"};

template <typename... Args>
absl::Status errorAt(size_t line, const Args &...args) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", args...));
}

/// Shortens what is quoted in an error: a field may be a megabyte of anything.
std::string quote(absl::string_view text) {
  std::string printable;
  for (char c : text.substr(0, 40))
    printable += absl::ascii_isprint(static_cast<unsigned char>(c)) ? c : '?';
  return absl::StrCat("'", printable, text.size() > 40 ? "...'" : "'");
}

/// One row while it is read: fields by column, and the errors' context.
struct Row {
  size_t line;
  const std::vector<std::string> &fields;
  const int (&fieldOf)[NumColumns]; // -1 where the file has no such column
  const std::vector<std::string> &columns;

  absl::string_view text(Column column) const {
    return fieldOf[column] < 0 ? absl::string_view() : absl::string_view(fields[fieldOf[column]]);
  }
  template <typename... Args>
  absl::Status error(Column column, const Args &...args) const {
    return errorAt(line, "field '", fieldOf[column] < 0 ? kNames[column] : columns[fieldOf[column]],
                   "': ", args...);
  }
  absl::Status integer(Column column, absl::string_view digits, int64_t &value) const {
    if (absl::SimpleAtoi(digits, &value))
      return absl::OkStatus();
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(digits);
    bool numeric = !rest.empty() &&
                   rest.find_first_not_of("0123456789", rest[0] == '-') == rest.npos && rest != "-";
    return error(column, quote(digits), numeric ? " does not fit 64 bits" : " is not an integer");
  }
};

absl::Status parseColumns(absl::string_view line, CsvProblem &csv, int (&fieldOf)[NumColumns],
                          bool &endInclusive) {
  static const auto &synonyms =
      *new absl::flat_hash_map<absl::string_view, absl::string_view>{{"buffer", "id"},
                                                                     {"buffer_id", "id"},
                                                                     {"begin", "lower"},
                                                                     {"start", "lower"},
                                                                     {"end", "upper"}};
  for (absl::string_view field : absl::StrSplit(line, ',')) {
    field = absl::StripAsciiWhitespace(field);
    auto synonym = synonyms.find(field);
    absl::string_view name = synonym == synonyms.end() ? field : synonym->second;
    endInclusive |= field == "end";
    const auto *known = std::find(std::begin(kNames), std::end(kNames), name);
    if (known == std::end(kNames))
      return errorAt(1, "column ", quote(field), " is not one of ", absl::StrJoin(kNames, ", "));
    int &index = fieldOf[known - std::begin(kNames)];
    if (index >= 0)
      return errorAt(1, "column '", name, "' is given twice");
    index = int(csv.columns.size());
    csv.columns.push_back(std::string(field));
  }
  for (Column column : {Id, Lower, Upper, Size})
    if (fieldOf[column] < 0)
      return errorAt(1, "column '", kNames[column], "' is missing");
  return absl::OkStatus();
}

absl::Status parseGaps(const Row &row, int64_t endOffset, std::vector<Gap> &gaps) {
  for (absl::string_view text : absl::StrSplit(row.text(Gaps), ' ', absl::SkipWhitespace())) {
    auto malformed = [&] {
      return row.error(Gaps, quote(text), " is not of the form LOWER-UPPER or LOWER-UPPER@FROM:TO");
    };
    std::pair<absl::string_view, absl::string_view> at =
        absl::StrSplit(text, absl::MaxSplits('@', 1));
    Gap gap;
    size_t dash = at.first.find('-', 1); // a leading '-' is a sign
    if (dash == at.first.npos || !absl::SimpleAtoi(at.first.substr(0, dash), &gap.lower) ||
        !absl::SimpleAtoi(at.first.substr(dash + 1), &gap.upper) || gap.upper == INT64_MAX)
      return malformed();
    gap.upper += endOffset;
    if (text.find('@') != text.npos) {
      std::pair<absl::string_view, absl::string_view> window =
          absl::StrSplit(at.second, absl::MaxSplits(':', 1));
      if (!absl::SimpleAtoi(window.first, &gap.windowLower) ||
          !absl::SimpleAtoi(window.second, &gap.windowUpper))
        return malformed();
    }
    gaps.push_back(gap);
  }
  return absl::OkStatus();
}

/// Reads a column in which nothing and -1 both mean "none".
absl::Status parseOptional(const Row &row, Column column, std::optional<int64_t> &result) {
  absl::string_view text = row.text(column);
  int64_t value = -1;
  if (text.empty())
    return absl::OkStatus();
  if (absl::Status status = row.integer(column, text, value); !status.ok())
    return status;
  if (value < -1)
    return row.error(column, value, " is negative");
  if (value >= 0)
    result = value;
  return absl::OkStatus();
}

absl::Status parseBuffer(const Row &row, int64_t endOffset, Buffer &buffer) {
  for (auto [column, value] :
       {std::pair(Lower, &buffer.lower), std::pair(Upper, &buffer.upper),
        std::pair(Size, &buffer.size), std::pair(Alignment, &buffer.alignment)})
    if (row.fieldOf[column] >= 0)
      if (absl::Status status = row.integer(column, row.text(column), *value); !status.ok())
        return status;
  if (buffer.upper == INT64_MAX)
    return row.error(Upper, buffer.upper, " is too large");
  buffer.upper += endOffset;
  if (buffer.lower >= buffer.upper)
    return row.error(Upper, "the life [", buffer.lower, ", ", buffer.upper, ") is empty");
  if (buffer.size < 0)
    return row.error(Size, buffer.size, " is negative");
  if (buffer.alignment < 1)
    return row.error(Alignment, buffer.alignment, " is below 1");
  if (absl::Status status = parseOptional(row, Offset, buffer.offset); !status.ok())
    return status;
  if (buffer.offset && *buffer.offset % buffer.alignment != 0)
    return row.error(Offset, *buffer.offset, " is not a multiple of the alignment ",
                     buffer.alignment);
  if (absl::Status status = parseOptional(row, Hint, buffer.hint); !status.ok())
    return status;
  return parseGaps(row, endOffset, buffer.gaps);
}

using IdMap = absl::flat_hash_map<absl::string_view, size_t>;

absl::Status parseAlias(const Row &row, const IdMap &index, Buffer &buffer) {
  absl::string_view text = row.text(AliasOf);
  if (text.empty())
    return absl::OkStatus();
  auto target = index.find(text);
  Alias alias;
  size_t plus = text.rfind('+');
  if (target == index.end() && plus != text.npos &&
      absl::SimpleAtoi(text.substr(plus + 1), &alias.delta))
    target = index.find(text.substr(0, plus));
  if (target == index.end())
    return row.error(AliasOf, quote(text), " is neither an id nor of the form ID+BYTES");
  alias.buffer = int64_t(target->second);
  buffer.alias = alias;
  return absl::OkStatus();
}

} // namespace

absl::StatusOr<CsvProblem> parseCsv(absl::string_view text) {
  CsvProblem csv;
  int fieldOf[NumColumns];
  std::fill(std::begin(fieldOf), std::end(fieldOf), -1);
  bool endInclusive = false;
  size_t number = 0, blank = 0;
  std::vector<size_t> lineOf;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.empty()) {
      blank = blank ? blank : number;
      continue;
    }
    if (blank)
      return errorAt(blank, "the line is empty, but others follow");
    if (number == 1) {
      if (absl::Status status = parseColumns(line, csv, fieldOf, endInclusive); !status.ok())
        return status;
      continue;
    }
    std::vector<std::string> fields;
    for (absl::string_view field : absl::StrSplit(line, ','))
      fields.emplace_back(absl::StripAsciiWhitespace(field));
    if (fields.size() != csv.columns.size())
      return errorAt(number, fields.size(), " fields, but line 1 names ", csv.columns.size(),
                     " columns");
    csv.rows.push_back(std::move(fields));
    lineOf.push_back(number);
  }
  if (csv.columns.empty())
    return errorAt(1, "there is no line with the columns' names");
  if (csv.rows.empty())
    return errorAt(number, "there are no buffers");

  IdMap index;
  csv.problem.buffers.resize(csv.rows.size());
  for (size_t i = 0; i < csv.rows.size(); ++i) {
    Row row{lineOf[i], csv.rows[i], fieldOf, csv.columns};
    if (row.text(Id).empty())
      return row.error(Id, "it is empty");
    auto [entry, inserted] = index.try_emplace(row.text(Id), i);
    if (!inserted)
      return row.error(Id, quote(row.text(Id)), " was given already in line ",
                       lineOf[entry->second]);
    csv.ids.emplace_back(row.text(Id));
    if (absl::Status status = parseBuffer(row, endInclusive, csv.problem.buffers[i]); !status.ok())
      return status;
  }
  for (size_t i = 0; i < csv.rows.size(); ++i) {
    Row row{lineOf[i], csv.rows[i], fieldOf, csv.columns};
    if (absl::Status status = parseAlias(row, index, csv.problem.buffers[i]); !status.ok())
      return status;
  }
  if (absl::Status status = validateProblem(csv.problem); !status.ok()) {
    Fault fault = faultOf(status);
    if (!fault.buffer)
      return status;
    return errorAt(lineOf[*fault.buffer], "field '", fault.field, "': id ",
                   quote(csv.ids[*fault.buffer]), ": ", status.message());
  }
  return csv;
}

std::string printCsv(const CsvProblem &csv, const Plan &plan) {
  size_t column = size_t(std::find(csv.columns.begin(), csv.columns.end(), kNames[Offset]) -
                         csv.columns.begin());
  std::vector<std::string> fields = csv.columns;
  auto withOffset = [&](std::string value) {
    fields.resize(std::max(fields.size(), column + 1));
    fields[column] = std::move(value);
    return absl::StrJoin(fields, ",") + "\n";
  };
  std::string text = withOffset(kNames[Offset]);
  for (size_t i = 0; i < csv.rows.size(); ++i) {
    fields = csv.rows[i];
    text += withOffset(absl::StrCat(plan.offsets[i]));
  }
  return text;
}

} // namespace ashlar::planner
