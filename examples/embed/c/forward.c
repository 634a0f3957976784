/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * forward X.ashlar ID...: one step of `forward` on one sequence of token ids, through the C interface. */
#include <ashlar.h>
#include <stdio.h>
#include <stdlib.h>

static void check(ashlar_error *error) {
  if (!error)
    return;
  fprintf(stderr, "forward: error: %s [%s]\n", ashlar_error_message(error),
          ashlar_error_name(error));
  ashlar_error_release(error);
  exit(1);
}

static void print(const ashlar_tensor *output) {
  printf("%s [", output->name);
  for (int32_t i = 0; i < output->rank; ++i)
    printf("%s%lld", i ? ", " : "", (long long)output->shape[i]);
  printf("]");
  const float *values = output->data;
  for (uint64_t i = 0; output->dtype == ASHLAR_F32 && i < 4 && i < output->bytes / 4; ++i)
    printf(" %.6f", values[i]);
  printf("\n");
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: forward X.ashlar ID...\n");
    return 2;
  }
  ashlar_program *program = NULL;
  ashlar_session *session = NULL;
  check(ashlar_program_load(argv[1], NULL, &program));
  check(ashlar_session_create(program, NULL, &session));

  int64_t shape[] = {1, argc - 2};
  int64_t *ids = malloc(sizeof(*ids) * (size_t)shape[1]);
  if (!ids)
    return 1;
  for (int i = 2; i < argc; ++i)
    ids[i - 2] = atoll(argv[i]);
  ashlar_tensor input = ASHLAR_INIT(ashlar_tensor);
  input.name = "input_ids";
  input.dtype = ASHLAR_I64;
  input.rank = 2;
  input.shape = shape;
  input.data = ids;

  size_t count = 0;
  check(ashlar_program_values(program, "forward", NULL, &count));
  ashlar_tensor *outputs = calloc(count, sizeof(*outputs));
  if (!outputs)
    return 1;
  for (size_t i = 0; i < count; ++i)
    outputs[i].struct_size = sizeof(*outputs);
  check(ashlar_session_run(session, "forward", &input, 1, outputs, count, NULL));
  for (size_t i = 0; i < count; ++i)
    print(&outputs[i]);

  free(outputs);
  free(ids);
  ashlar_session_release(session);
  ashlar_program_release(program);
  return 0;
}
