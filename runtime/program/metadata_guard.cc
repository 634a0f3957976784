// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/program/metadata_guard.h"

#include "runtime/base/status.h"

namespace ashlar {
namespace {

constexpr uint64_t kMaxMetadataBytes = 512 << 20;
constexpr int kMaxDepth = 16;
constexpr int kMaxTables = 20'000'000;

// Walks what UnPack will walk and sums up the payload of vectors and strings.
class Guard {
 public:
  explicit Guard(uint64_t budget) : budget_(budget) {}

  bool Walk(const fb::Program* p) {
    return Text(p->producer()) && Text(p->weight_directory()) && Each(p->properties()) &&
           Each(p->dims()) && Each(p->images()) && Each(p->kernels()) && Each(p->weights()) &&
           Each(p->states()) && Each(p->entries()) && Each(p->device_images()) && Each(p->mesh()) &&
           Each(p->stages()) && Cuts(p->stage_cuts());
  }

 private:
  bool Spend(uint64_t bytes) {
    if (bytes > budget_) return false;
    budget_ -= bytes;
    return true;
  }
  bool Text(const flatbuffers::String* text) { return !text || Spend(text->size()); }
  template <typename T>
  bool Scalars(const flatbuffers::Vector<T>* vector) {
    if (!vector) return true;
    return reinterpret_cast<uintptr_t>(vector->Data()) % sizeof(T) == 0 &&
           Spend(uint64_t{sizeof(T)} * vector->size());
  }
  bool Texts(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* vector) {
    if (!vector) return true;
    for (const flatbuffers::String* text : *vector)
      if (!Spend(sizeof(void*)) || !Text(text)) return false;
    return true;
  }
  template <typename T>
  bool Each(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector) {
    if (!vector) return true;
    for (const T* item : *vector)
      if (!Spend(4) || !Item(item)) return false;
    return true;
  }

  bool Item(const fb::Property* p) { return Text(p->key()) && Text(p->value()); }
  bool Cuts(const flatbuffers::Vector<const fb::Cut*>* vector) {
    return !vector || Spend(uint64_t{sizeof(fb::Cut)} * vector->size());
  }
  bool Item(const fb::MeshAxis* a) { return Text(a->name()); }
  bool Item(const fb::Dim* d) {
    return Text(d->name()) && (!d->whole() || Item(d->whole())) && Cuts(d->cuts());
  }
  bool Item(const fb::Extent* e) { return Scalars(e->dims()); }
  bool Item(const fb::Image* i) {
    return Text(i->cpu()) && Texts(i->features()) && Scalars(i->entries());
  }
  bool Item(const fb::TensorMap* m) { return m->rows() && Item(m->rows()); }
  bool Item(const fb::Measurement* m) {
    return Text(m->device()) && Text(m->library()) && Text(m->date());
  }
  bool Item(const fb::LibraryProduct* p) {
    return p->rows() && Item(p->rows()) && (!p->measurement() || Item(p->measurement()));
  }
  bool Item(const fb::DeviceKernel* k) {
    return Text(k->symbol()) && Each(k->grid()) && Each(k->tensor_maps()) &&
           (!k->product() || Item(k->product())) && (!k->own_product() || Item(k->own_product()));
  }
  bool Item(const fb::DeviceImage* i) { return Text(i->arch()) && Each(i->kernels()); }
  bool Item(const fb::Kernel* k) {
    return Text(k->name()) && Texts(k->ops()) && Scalars(k->operands()) && Each(k->grid());
  }
  bool Item(const fb::WeightPart* p) {
    return Text(p->tensor()) && Scalars(p->shape()) && Scalars(p->whole()) &&
           Scalars(p->cut_dims()) && Cuts(p->cuts()) && Scalars(p->begin()) && Scalars(p->range());
  }
  bool Item(const fb::Weight* w) {
    return Text(w->name()) && Scalars(w->shape()) && Each(w->parts());
  }
  bool Item(const fb::Stage* s) {
    return Each(s->weights()) && Each(s->states()) && Each(s->entries());
  }
  bool Item(const fb::State* s) { return Text(s->name()); }
  bool Item(const fb::Operand*) { return true; }
  bool Item(const fb::Value* v) {
    return Text(v->name()) && Each(v->shape()) &&
           (!v->default_value() || Item(v->default_value())) &&
           (!v->maximum() || Item(v->maximum()));
  }
  bool Item(const fb::Work* w) { return !w->amount() || Item(w->amount()); }
  bool Item(const fb::Launch* l) {
    return Each(l->operands()) && Each(l->extents()) && Text(l->path()) && Each(l->work());
  }
  bool Item(const fb::CounterLimit* l) {
    return (!l->rows() || Item(l->rows())) && (!l->add() || Item(l->add()));
  }
  bool Item(const fb::Collective* c) {
    return Cuts(c->cuts()) && Each(c->input_shape()) && Each(c->output_shape()) &&
           (!c->whole() || Item(c->whole())) && Text(c->where());
  }
  bool Item(const fb::Entry* e) {
    return Text(e->name()) && Each(e->inputs()) && Each(e->outputs()) && Each(e->launches()) &&
           Each(e->limits()) && Each(e->collectives());
  }

  uint64_t budget_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<fb::ProgramT>> UnpackMetadata(std::string_view bytes) {
  if (bytes.size() > kMaxMetadataBytes)
    return DataLoss("metadata of ", bytes.size(), " bytes, at most ", kMaxMetadataBytes,
                    " are expected");
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (bytes.size() < 8 || !fb::ProgramBufferHasIdentifier(data))
    return DataLoss("the metadata is not a program's");
  flatbuffers::Verifier verifier(data, bytes.size(), kMaxDepth, kMaxTables);
  if (!fb::VerifyProgramBuffer(verifier))
    return DataLoss("the metadata is malformed (FlatBuffers verifier)");
  const fb::Program* program = fb::GetProgram(data);
  // What is stored once spends no more than its size; twice that allows for a writer that merges
  // equal strings.
  if (!Guard(2 * bytes.size()).Walk(program))
    return DataLoss("the metadata is malformed (misaligned, or it unpacks to more than its size)");
  return std::unique_ptr<fb::ProgramT>(program->UnPack());
}

}  // namespace ashlar
