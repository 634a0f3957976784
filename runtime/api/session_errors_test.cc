// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a caller may get wrong, and what the error tells.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/api/session_test_base.h"
#include "runtime/base/error_code.h"
#include "runtime/base/status.h"

namespace ashlar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SessionErrorsTest : public testing::SessionTestBase {
 protected:
  void SetUp() override {
    SessionTestBase::SetUp();
    session_ = MakeSession();
  }
  std::string ErrorOf(const std::vector<Tensor>& inputs, const char* entry = "forward") {
    std::vector<Tensor> outputs;
    absl::Status status = session_->Run(entry, inputs, &outputs);
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(outputs.empty());
    return Message(status);
  }
  Tensor X(std::vector<int64_t> shape) { return {"x", DType::kF32, std::move(shape), floats_}; }
  Tensor Factor(std::vector<int64_t> shape) {
    return {"factor", DType::kI64, std::move(shape), ints_};
  }

  std::unique_ptr<Session> session_;
  float floats_[1000] = {};
  int64_t ints_[1000] = {};
};

TEST_F(SessionErrorsTest, Names) {
  EXPECT_THAT(ErrorOf({}, "decode"), HasSubstr("no entry 'decode'; it has forward, step"));
  EXPECT_THAT(ErrorOf({}),
              AllOf(HasSubstr("input 'x' of entry 'forward' is missing"),
                    HasSubstr("x: F32 [batch, seq, 5], required"),
                    HasSubstr("factor: I64 [batch, seq], 1 where it is left out"),
                    HasSubstr("position: I64 [batch, seq], the index where it is left out")));
  EXPECT_THAT(ErrorOf({X({1, 1, 5}), {"y", DType::kF32, {1}, floats_}}),
              HasSubstr("no input 'y'; its inputs are"));
  EXPECT_THAT(ErrorOf({X({1, 1, 5}), X({1, 1, 5})}), HasSubstr("input 'x' is given twice"));
}

TEST_F(SessionErrorsTest, Shapes) {
  EXPECT_THAT(ErrorOf({X({1, 5})}),
              HasSubstr("input 'x': expected F32 [batch, seq, 5], found shape [1, 5]"));
  EXPECT_THAT(
      ErrorOf({X({1, 2, 4})}),
      HasSubstr("expected F32 [batch, seq, 5], found shape [1, 2, 4]: dimension 2 must be 5"));
  EXPECT_THAT(ErrorOf({X({1, 2, 5}), Factor({1, 3})}),
              HasSubstr("'seq' is 2 in 'x' and 3 in 'factor'"));
  EXPECT_THAT(ErrorOf({X({5, 2, 5})}),
              HasSubstr("'batch' is 5, this artifact was compiled for 1..4"));
  EXPECT_THAT(ErrorOf({X({1, 0, 5})}),
              HasSubstr("'seq' is 0, this artifact was compiled for 1..8"));
  EXPECT_THAT(ErrorOf({X({1, -1, 5})}), HasSubstr("'seq' is -1"));
}

TEST_F(SessionErrorsTest, Data) {
  EXPECT_THAT(ErrorOf({{"x", DType::kF32, {1, 1, 5}, nullptr}}),
              HasSubstr("input 'x' has no data"));
  EXPECT_THAT(ErrorOf({X({1, 2, 5}), {"factor", DType::kF32, {1, 2}, floats_}}),
              HasSubstr("input 'factor': elements of type F32 cannot be converted to I64"));
  ints_[3] = 10;
  EXPECT_THAT(ErrorOf({X({2, 2, 5}), {"position", DType::kI64, {2, 2}, ints_}}),
              HasSubstr("input 'position': element [1, 1] is 10, expected 0..9"));
  ints_[3] = -1;
  EXPECT_THAT(ErrorOf({X({2, 2, 5}), {"position", DType::kI64, {2, 2}, ints_}}),
              HasSubstr("is -1, expected 0..9"));
  std::vector<Tensor> outputs;
  ASSERT_TRUE(session_->Run("forward", {X({1, 1, 5})}, &outputs).ok());
  EXPECT_THAT(ErrorOf({{"x", DType::kF32, {1, 1, 5}, outputs[0].data}}),
              HasSubstr("the session's own memory"));
}

TEST_F(SessionErrorsTest, ADimensionThatNothingGives) {
  // seq only in inputs that have defaults.
  for (auto* values : {&tiny_.program.entries[0]->inputs, &tiny_.program.entries[0]->outputs})
    for (auto& value : *values)
      if (value->name == "x") value->shape[1] = testing::MakeExtent({}, 8);
  session_ = MakeSession();
  EXPECT_THAT(ErrorOf({X({1, 8, 5})}), HasSubstr("no input that is given has the dimension 'seq'"));
}

TEST_F(SessionErrorsTest, CodesAreStable) {
  std::vector<Tensor> none;
  EXPECT_EQ(ErrorName(CodeOf(session_->Run("decode", none, nullptr))), "E0501");
  EXPECT_EQ(ErrorName(CodeOf(session_->Run("forward", none, nullptr))), "E0502");
  EXPECT_EQ(ErrorName(CodeOf(session_->Run("forward", {X({1, 5})}, nullptr))), "E0503");
  EXPECT_EQ(ErrorName(CodeOf(session_->Run("forward", {X({5, 2, 5})}, nullptr))), "E0505");
  EXPECT_EQ(ErrorName(CodeOf(session_->SetCounter("none", 1))), "E0511");
}

TEST_F(SessionErrorsTest, Creation) {
  SessionOptions options;
  options.threads = -1;
  EXPECT_THAT(Message(Session::Create(LoadTiny(), options).status()), HasSubstr("threads"));
  options = {};
  BindOptions bind;
  bind.weights_directory = "/nowhere";
  EXPECT_THAT(Message(Session::Create(LoadTiny(), options, bind).status()), HasSubstr("/nowhere"));
  tiny_.program.images[0]->features.push_back("time-travel");
  EXPECT_THAT(Message(Session::Create(LoadTiny(), {}).status()),
              AllOf(HasSubstr("tiny.ashlar"), HasSubstr("its code for x86-64 needs time-travel")));
}

}  // namespace
}  // namespace ashlar
