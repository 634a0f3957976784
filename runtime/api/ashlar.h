/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The runtime's C interface. C11, C++; stable: functions and fields are added, never changed.
 *
 *   ashlar_program *program = NULL;
 *   ashlar_session *session = NULL;
 *   ashlar_error *error = ashlar_program_load("bert.ashlar", NULL, &program);
 *   if (!error) error = ashlar_session_create(program, NULL, &session);
 *   ...
 *   error = ashlar_session_run(session, "forward", inputs, 1, &output, 1, NULL);
 *   if (error) fprintf(stderr, "%s: %s\n", ashlar_error_name(error), ashlar_error_message(error));
 *
 * Handles are opaque; each has a release function, which takes NULL too. A handle that another was
 * made of may be released first: what is needed lives on.
 *
 * Structs begin with struct_size, which the caller sets to sizeof the struct (ASHLAR_INIT does), so
 * that a library that knows more fields than the caller leaves them alone and takes their defaults:
 * zero, always. Elements of an array of structs lie struct_size bytes apart.
 *
 * Errors: functions that can fail return NULL, or an error that the caller releases. Its code is
 * stable (`ashlar explain E0507`), its message says what, where and what would work; no memory
 * is one of them (E0401). Strings are UTF-8; those that come from a handle live as long as it does.
 *
 * Threads: programs, thread pools, memory pools and cancellations are usable from any thread; a
 * session is used by one thread at a time (a second one gets E0801), different sessions by
 * different ones; a handle is not released while a call with it is under way. The library has no
 * global state that a caller could change (but by ashlar_guard_mapped_files), and prints nothing.
 */
#ifndef ASHLAR_H_
#define ASHLAR_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(ASHLAR_BUILDING_LIBRARY)
#define ASHLAR_API __attribute__((visibility("default")))
#else
#define ASHLAR_API
#endif

/* Raised when functions or fields are added. */
#define ASHLAR_API_VERSION 2

/* ashlar_run_options options = ASHLAR_INIT(ashlar_run_options); */
#ifdef __cplusplus
#define ASHLAR_INIT(type) \
  type { sizeof(type) }
#else
#define ASHLAR_INIT(type) {.struct_size = sizeof(type)}
#endif

/* The library's ASHLAR_API_VERSION, and its release, such as "0.1.0". */
ASHLAR_API int32_t ashlar_api_version(void);
ASHLAR_API const char* ashlar_version(void);

/* ---- errors ---- */

typedef struct ashlar_error ashlar_error;

/* 507, "E0507", and what happened. */
ASHLAR_API int32_t ashlar_error_code(const ashlar_error* error);
ASHLAR_API const char* ashlar_error_name(const ashlar_error* error);
ASHLAR_API const char* ashlar_error_message(const ashlar_error* error);
ASHLAR_API void ashlar_error_release(ashlar_error* error);

/* The page of a code: what it means and what to do. NULL for what is no code. */
ASHLAR_API const char* ashlar_explain(int32_t code);

/* Artifacts and checkpoints are mapped; reading what someone cuts off meanwhile raises SIGBUS,
 * which ends the process. After this call, for the process, it is an error of the step (E0106): the
 * library handles that signal, and hands on those that are not of its mappings. */
ASHLAR_API void ashlar_guard_mapped_files(void);

/* ---- what an application brings along ---- */

/* One line without its end; level 0 informs, 1 warns. Called on the thread that is at work. */
typedef void (*ashlar_log_function)(void* context, int32_t level, const char* message);

/* Memory in place of the system's pages; both functions are called from any thread. */
typedef struct ashlar_allocator {
  size_t struct_size;
  void* context;
  /* `bytes` at a multiple of `alignment`, a power of two; NULL where there is no more. */
  void* (*allocate)(void* context, uint64_t bytes, uint64_t alignment);
  void (*release)(void* context, void* data, uint64_t bytes);
} ashlar_allocator;

/* Memory that sessions of any programs draw from, `limit` bytes at most (0: no limit); what they
 * give back is kept for the next. `allocator` may be NULL. */
typedef struct ashlar_memory_pool ashlar_memory_pool;
ASHLAR_API ashlar_error* ashlar_memory_pool_create(uint64_t limit,
                                                   const ashlar_allocator* allocator,
                                                   ashlar_memory_pool** pool);
ASHLAR_API uint64_t ashlar_memory_pool_in_use(const ashlar_memory_pool* pool);
ASHLAR_API void ashlar_memory_pool_release(ashlar_memory_pool* pool);

/* Computes the items [begin, end) of a launch as `worker`. */
typedef void (*ashlar_range_function)(void* launch, int64_t begin, int64_t end, int32_t worker);

/* An application's own threads. `run` calls function(launch, begin, end, worker) on disjoint ranges
 * that make up [0, items), with workers in [0, workers), no worker twice at the same time, and
 * returns when all have returned. It is called from every thread that runs a step. */
typedef struct ashlar_executor {
  size_t struct_size;
  void* context;
  int32_t workers;
  void (*run)(void* context, int64_t items, ashlar_range_function function, void* launch);
} ashlar_executor;

/* Threads that sessions share: the library's own (`threads`, the caller's among them; 0: one per
 * core), or the application's. */
typedef struct ashlar_thread_pool ashlar_thread_pool;
ASHLAR_API ashlar_error* ashlar_thread_pool_create(int32_t threads, ashlar_thread_pool** pool);
ASHLAR_API ashlar_error* ashlar_thread_pool_wrap(const ashlar_executor* executor,
                                                 ashlar_thread_pool** pool);
ASHLAR_API int32_t ashlar_thread_pool_size(const ashlar_thread_pool* pool);
ASHLAR_API void ashlar_thread_pool_release(ashlar_thread_pool* pool);

/* ---- programs ---- */

/* An artifact, mapped and verified, its weights bound: what sessions share. */
typedef struct ashlar_program ashlar_program;

typedef struct ashlar_program_options {
  size_t struct_size;
  const char* weights_directory;     /* the checkpoint, where it is not where it was; or NULL */
  const char* cache_directory;       /* where packed weights are kept between runs; NULL: nowhere */
  const ashlar_thread_pool* threads; /* packs the weights; NULL: threads for the purpose */
  ashlar_log_function log;           /* or NULL */
  void* log_context;
  const char* device; /* "cpu" (or NULL), "cuda", "cuda-emulator" */
  /* What is demanded of the file, whose machine code runs in this process; NULL: nothing. */
  const char* sha256;     /* its hash, 64 hexadecimal digits */
  const char* public_key; /* minisign's, of who signed it; the signature is PATH.minisig */
} ashlar_program_options;

ASHLAR_API ashlar_error* ashlar_program_load(const char* path,
                                             const ashlar_program_options* options,
                                             ashlar_program** program);
ASHLAR_API void ashlar_program_release(ashlar_program* program);

/* What the compiler noted, such as "eos_token_id"; NULL where there is no such property. */
ASHLAR_API const char* ashlar_program_property(const ashlar_program* program, const char* key);

/* Dimensions that each step chooses by the shapes of its inputs: "batch", "seq". */
typedef struct ashlar_dimension {
  size_t struct_size;
  const char* name;
  int64_t minimum;
  int64_t maximum;
} ashlar_dimension;
ASHLAR_API size_t ashlar_program_dimensions(const ashlar_program* program);
ASHLAR_API ashlar_error* ashlar_program_dimension(const ashlar_program* program, size_t index,
                                                  ashlar_dimension* dimension);

/* Entries: "forward", "prefill", "decode". NULL beyond the last. */
ASHLAR_API size_t ashlar_program_entries(const ashlar_program* program);
ASHLAR_API const char* ashlar_program_entry(const ashlar_program* program, size_t index);

typedef enum ashlar_dtype {
  ASHLAR_F32 = 0,
  ASHLAR_F16 = 1,
  ASHLAR_BF16 = 2,
  ASHLAR_F64 = 3,
  ASHLAR_I64 = 4,
  ASHLAR_I32 = 5,
  ASHLAR_I8 = 6,
  ASHLAR_U8 = 7,
  ASHLAR_BOOL = 8,
  ASHLAR_I16 = 9, /* this and what follows: inputs only */
  ASHLAR_U16 = 10,
  ASHLAR_U32 = 11,
  ASHLAR_U64 = 12
} ashlar_dtype;

/* An input or output of an entry. */
typedef struct ashlar_value {
  size_t struct_size;
  const char* name;
  int32_t dtype;
  int32_t rank;
  const int64_t* bound;      /* the largest extents */
  const int32_t* dimensions; /* per extent, which of the program's dimensions it is, or -1 */
  uint64_t bytes;            /* at the bound */
  int32_t required;          /* of inputs: whether it has no default */
  const char* description;   /* "I64 [batch, seq]" */
} ashlar_value;
ASHLAR_API ashlar_error* ashlar_program_values(const ashlar_program* program, const char* entry,
                                               size_t* inputs, size_t* outputs);
ASHLAR_API ashlar_error* ashlar_program_input(const ashlar_program* program, const char* entry,
                                              size_t index, ashlar_value* value);
ASHLAR_API ashlar_error* ashlar_program_output(const ashlar_program* program, const char* entry,
                                               size_t index, ashlar_value* value);

/* Bytes of a session, exact: arena + scratch + state are its own, weights are shared. */
typedef struct ashlar_memory {
  size_t struct_size;
  uint64_t arena;
  uint64_t scratch;
  uint64_t state;
  uint64_t weights;
} ashlar_memory;
/* What a session with so many threads will take (0: one per core). */
ASHLAR_API ashlar_error* ashlar_program_memory(const ashlar_program* program, int32_t threads,
                                               ashlar_memory* memory);

/* ---- sessions ---- */

/* One user of a program: its arena, its state. */
typedef struct ashlar_session ashlar_session;

typedef struct ashlar_session_options {
  size_t struct_size;
  int32_t threads; /* of its own, the caller's among them; 0: one per core, 1: the caller's alone */
  const ashlar_thread_pool* thread_pool; /* or NULL; in place of threads of its own */
  ashlar_memory_pool* memory_pool;       /* or NULL: the system */
  void*
      buffer; /* the session's memory, or NULL; at a multiple of 64, kept as long as the session */
  uint64_t buffer_bytes; /* at least arena + scratch + state */
} ashlar_session_options;

ASHLAR_API ashlar_error* ashlar_session_create(const ashlar_program* program,
                                               const ashlar_session_options* options,
                                               ashlar_session** session);
ASHLAR_API void ashlar_session_release(ashlar_session* session);
/* What the session has taken. */
ASHLAR_API ashlar_error* ashlar_session_memory(const ashlar_session* session,
                                               ashlar_memory* memory);

/* Row-major elements. Inputs: all fields but `bytes` are the caller's. Outputs: `name` chooses one,
 * or the one in this place if NULL; with `data` NULL the session's own memory is shown, valid until
 * its next step; else the elements are copied to `data`, which has `bytes` bytes. dtype, rank,
 * shape and bytes are set; shape is valid until the session's next step. A struct that shows the
 * session's memory may be used again as it is: `data` that lies there counts as NULL. */
typedef struct ashlar_tensor {
  size_t struct_size;
  const char* name;
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  void* data;
  uint64_t bytes;
} ashlar_tensor;

/* Stops steps from another thread: those under way at their next launch. */
typedef struct ashlar_cancellation ashlar_cancellation;
ASHLAR_API ashlar_error* ashlar_cancellation_create(ashlar_cancellation** cancellation);
ASHLAR_API void ashlar_cancellation_cancel(ashlar_cancellation* cancellation);
ASHLAR_API void ashlar_cancellation_reset(ashlar_cancellation* cancellation);
ASHLAR_API void ashlar_cancellation_release(ashlar_cancellation* cancellation);

typedef struct ashlar_run_options {
  size_t struct_size;
  const ashlar_cancellation* cancellation; /* or NULL */
  int64_t timeout_us;                      /* from now; 0, or more than the clock counts: none */
} ashlar_run_options;

/* Runs one step of an entry. The shapes of the inputs give the step its extents. A step that is
 * refused (E0501 to E0507), or stopped before its first launch, leaves the session as it was; one
 * that was cancelled or late between launches leaves the state of a program that has one undefined,
 * until a reset. */
ASHLAR_API ashlar_error* ashlar_session_run(ashlar_session* session, const char* entry,
                                            const ashlar_tensor* inputs, size_t input_count,
                                            ashlar_tensor* outputs, size_t output_count,
                                            const ashlar_run_options* options);

/* Makes all state zero; sets a counter, such as the number of tokens in a cache. */
ASHLAR_API ashlar_error* ashlar_session_reset(ashlar_session* session);
ASHLAR_API ashlar_error* ashlar_session_set_counter(ashlar_session* session, const char* state,
                                                    int64_t value);

/* The state, to a file and back; it is restored into a session of the same program and weights. */
ASHLAR_API ashlar_error* ashlar_session_save(ashlar_session* session, const char* path);
ASHLAR_API ashlar_error* ashlar_session_load(ashlar_session* session, const char* path);

/* ---- text ---- */

/* A vocabulary and its rules: a directory with tokenizer.json, vocab.txt, ..., or one of these
 * files. Usable from any thread. */
typedef struct ashlar_tokenizer ashlar_tokenizer;
ASHLAR_API ashlar_error* ashlar_tokenizer_load(const char* path, ashlar_tokenizer** tokenizer);
ASHLAR_API void ashlar_tokenizer_release(ashlar_tokenizer* tokenizer);
/* The id of a token such as "[MASK]"; -1 where there is none. */
ASHLAR_API int64_t ashlar_tokenizer_find(const ashlar_tokenizer* tokenizer, const char* token);

typedef struct ashlar_encode_options {
  size_t struct_size;
  int64_t max_length;        /* ids of a text at most, it is cut to them; 0: no limit */
  int64_t min_length;        /* the batch is as long as its longest text, or this */
  int32_t no_special_tokens; /* not 0: none around the texts */
} ashlar_encode_options;

/* Texts as ids, a batch: arrays of rows * length elements, which live as long as the handle. */
typedef struct ashlar_encoding ashlar_encoding;
/* `pairs` is NULL, or has a second text for each. */
ASHLAR_API ashlar_error* ashlar_tokenizer_encode(const ashlar_tokenizer* tokenizer,
                                                 const char* const* texts, const char* const* pairs,
                                                 size_t count, const ashlar_encode_options* options,
                                                 ashlar_encoding** encoding);
ASHLAR_API void ashlar_encoding_release(ashlar_encoding* encoding);

typedef struct ashlar_encoded {
  size_t struct_size;
  int64_t rows;
  int64_t length;
  const int64_t* ids;
  const int64_t* attention_mask; /* 0 for padding */
  const int64_t* type_ids;
  const int64_t*
      offsets; /* of each id two: bytes [begin, end) of its text; 0, 0 for what was added */
  const int64_t* sequences; /* 0: of the text, 1: of its pair, -1: of none */
} ashlar_encoded;
ASHLAR_API ashlar_error* ashlar_encoding_view(const ashlar_encoding* encoding,
                                              ashlar_encoded* encoded);

/* The text of ids, `size` bytes and a zero behind them, which the caller releases; special tokens
 * are left out unless they are kept. */
ASHLAR_API ashlar_error* ashlar_tokenizer_decode(const ashlar_tokenizer* tokenizer,
                                                 const int64_t* ids, size_t count,
                                                 int32_t keep_special_tokens, char** text,
                                                 size_t* size);
ASHLAR_API void ashlar_text_release(char* text);

/* The text of ids that come one by one: whole characters at every step. What a step gives lives
 * until the next. One thread. */
typedef struct ashlar_decoder ashlar_decoder;
ASHLAR_API ashlar_error* ashlar_decoder_create(const ashlar_tokenizer* tokenizer,
                                               int32_t keep_special_tokens,
                                               ashlar_decoder** decoder);
ASHLAR_API ashlar_error* ashlar_decoder_push(ashlar_decoder* decoder, int64_t id, const char** text,
                                             size_t* size);
/* What was held back; nothing may be pushed after it. */
ASHLAR_API ashlar_error* ashlar_decoder_finish(ashlar_decoder* decoder, const char** text,
                                               size_t* size);
ASHLAR_API void ashlar_decoder_release(ashlar_decoder* decoder);

/* ---- generating ---- */

/* A session of a decoder that continues prompts. `tokenizer` may be NULL: ids in and out. It keeps
 * what its last sequence has in the cache, and a single prompt that begins with the same tokens
 * computes only what is new. Used by one thread at a time. */
typedef struct ashlar_generator ashlar_generator;
ASHLAR_API ashlar_error* ashlar_generator_create(const ashlar_program* program,
                                                 const ashlar_session_options* options,
                                                 const ashlar_tokenizer* tokenizer,
                                                 ashlar_generator** generator);
ASHLAR_API void ashlar_generator_release(ashlar_generator* generator);
/* The tokens that a sequence may have. */
ASHLAR_API int64_t ashlar_generator_context(const ashlar_generator* generator);
/* The cache, to a file and back; what is saved is restored into a generator of the same program. */
ASHLAR_API ashlar_error* ashlar_generator_save(const ashlar_generator* generator, const char* path);
ASHLAR_API ashlar_error* ashlar_generator_load(ashlar_generator* generator, const char* path);

/* A text, or where that is NULL, ids. */
typedef struct ashlar_prompt {
  size_t struct_size;
  const char* text;
  const int64_t* tokens;
  size_t token_count;
} ashlar_prompt;

/* One more token of a prompt's continuation, with the text that is certain now; a negative token
 * comes with the last of the text. Not 0 ends this continuation. */
typedef int32_t (*ashlar_token_function)(void* context, size_t prompt, int64_t token,
                                         const char* text, size_t size);

/* The filters act in this order: repetition_penalty, temperature, top_k, top_p, min_p. All zero:
 * the likeliest token each time, 64 of them at most. */
typedef struct ashlar_generate_options {
  size_t struct_size;
  int64_t max_tokens;        /* 0: 64 */
  double temperature;        /* 0: greedy */
  int64_t top_k;             /* 0: all */
  double top_p;              /* 0 or 1: all */
  double min_p;              /* 0: all */
  double repetition_penalty; /* 0 or 1: none */
  uint64_t seed;
  int64_t beams;                /* 0 or 1: no beam search */
  int64_t results;              /* of each prompt, the best of its beams; 0: 1 */
  const double* length_penalty; /* of beams; NULL: 1 */
  int32_t ignore_eos;           /* not 0: go on after the model's end-of-text tokens */
  int32_t log_probabilities;    /* not 0: wanted */
  const int64_t* stop_tokens;   /* others that end a continuation, which includes them */
  size_t stop_token_count;
  const char* const* stop_strings; /* end a continuation, before them */
  size_t stop_string_count;
  ashlar_token_function on_token; /* or NULL */
  void* on_token_context;
  const ashlar_cancellation* cancellation; /* or NULL */
  int64_t timeout_us;                      /* from now, for all of it; 0: none */
} ashlar_generate_options;

/* Continuations, `results` of each prompt, in the prompts' order. */
typedef struct ashlar_generations ashlar_generations;
ASHLAR_API ashlar_error* ashlar_generator_run(ashlar_generator* generator,
                                              const ashlar_prompt* prompts, size_t count,
                                              const ashlar_generate_options* options,
                                              ashlar_generations** generations);
ASHLAR_API size_t ashlar_generations_count(const ashlar_generations* generations);
ASHLAR_API void ashlar_generations_release(ashlar_generations* generations);

typedef struct ashlar_generation {
  size_t struct_size;
  size_t prompt;
  const int64_t* tokens;
  size_t token_count;
  const char* text; /* without special tokens; "" without a tokenizer */
  size_t text_size;
  const float* log_probabilities; /* of the tokens, in the model's own distribution; or NULL */
  double score;                   /* of beams */
  const char* finish; /* why: "length", "stop_token", "stop_string", "context", "caller" */
} ashlar_generation;
ASHLAR_API ashlar_error* ashlar_generations_get(const ashlar_generations* generations, size_t index,
                                                ashlar_generation* generation);

#ifdef __cplusplus
}
#endif

#endif /* ASHLAR_H_ */
