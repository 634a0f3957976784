# The build's vocabulary: every folder's CMakeLists.txt says what it is through the functions below, so that
# warnings, the choice of shared MLIR, the precompiled header and exceptions are decided once.
include_guard(GLOBAL)

find_package(Threads REQUIRED)
find_package(absl REQUIRED)

set(ASHLAR_WARNINGS -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers)
include_directories(${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})

# Debian's clang is newer than its default linker knows how to help; lld links libMLIR's users in a fraction of the time.
find_program(ASHLAR_LLD NAMES ld.lld-22 ld.lld)
if(ASHLAR_LLD AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_link_options(--ld-path=${ASHLAR_LLD})
endif()

# ashlar_precompile(ashlar_pch Precompiled OPTIONS -Wall ...): precompiles tools/cmake/<header>.h once per build, for the
# targets that _ashlar_reuse names it for. Clang takes it for equal options only.
function(ashlar_precompile name header)
  cmake_parse_arguments(ARG "" "" "OPTIONS;DEPS" ${ARGN})
  add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/tools/cmake/Precompiled.cpp)
  target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tools/cmake/${header}.h)
endfunction()

function(_ashlar_reuse name precompiled)
  target_precompile_headers(${name} REUSE_FROM ${precompiled})
  get_target_property(type ${name} TYPE)
  if(type STREQUAL EXECUTABLE) # CMake would say -fPIE, which the precompiled header was not compiled with
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
endfunction()

# The headers that most of the runtime and of its tests need. Tests are not what runs hot: -O1 builds them sooner.
set(ASHLAR_TEST_OPTIONS ${ASHLAR_WARNINGS} -O1)
ashlar_precompile(ashlar_pch Precompiled OPTIONS ${ASHLAR_WARNINGS} DEPS absl::statusor)
if(ASHLAR_TESTS)
  find_package(GTest REQUIRED)
  ashlar_precompile(ashlar_test_pch TestPrecompiled OPTIONS ${ASHLAR_TEST_OPTIONS} DEPS absl::statusor GTest::gmock)
endif()

if(ASHLAR_COMPILER)
  find_package(MLIR REQUIRED CONFIG)
  list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
  include(TableGen)
  include(AddLLVM)
  include(AddMLIR)
  separate_arguments(ASHLAR_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")

  # The same for everything that includes MLIR, and for the tests among it.
  # The compiler is not what runs hot, and -O1 builds it in two thirds of the time.
  set(ASHLAR_MLIR_OPTIONS ${ASHLAR_WARNINGS} -fno-exceptions -O1)
  add_library(ashlar_mlir_headers INTERFACE)
  target_include_directories(ashlar_mlir_headers SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(ashlar_mlir_headers INTERFACE ${ASHLAR_LLVM_DEFINITIONS})
  ashlar_precompile(ashlar_mlir_pch MLIRPrecompiled OPTIONS ${ASHLAR_MLIR_OPTIONS} DEPS ashlar_mlir_headers)
  if(ASHLAR_TESTS)
    ashlar_precompile(ashlar_mlir_test_pch MLIRTestPrecompiled OPTIONS ${ASHLAR_MLIR_OPTIONS}
      DEPS ashlar_mlir_headers absl::statusor GTest::gmock)
  endif()
endif()

# ashlar_tablegen_dialect(Graph [INTERFACES XInterfaces]) runs mlir-tblgen over dialects/<D>/<D>Ops.td
# (types, attributes, enums, ops, dialect) in the current folder and defines the target <D>IncGen.
function(ashlar_tablegen_dialect dialect)
  cmake_parse_arguments(ARG "" "" "INTERFACES" ${ARGN})
  string(TOLOWER ${dialect} namespace)
  include_directories(SYSTEM ${MLIR_INCLUDE_DIRS}) # tablegen searches the folder's include directories
  set(LLVM_TARGET_DEFINITIONS ${dialect}Ops.td)
  mlir_tablegen(${dialect}Ops.h.inc -gen-op-decls -dialect=${namespace})
  mlir_tablegen(${dialect}Ops.cpp.inc -gen-op-defs -dialect=${namespace})
  mlir_tablegen(${dialect}Dialect.h.inc -gen-dialect-decls -dialect=${namespace})
  mlir_tablegen(${dialect}Dialect.cpp.inc -gen-dialect-defs -dialect=${namespace})
  mlir_tablegen(${dialect}Types.h.inc -gen-typedef-decls -typedefs-dialect=${namespace})
  mlir_tablegen(${dialect}Types.cpp.inc -gen-typedef-defs -typedefs-dialect=${namespace})
  mlir_tablegen(${dialect}Attrs.h.inc -gen-attrdef-decls -attrdefs-dialect=${namespace})
  mlir_tablegen(${dialect}Attrs.cpp.inc -gen-attrdef-defs -attrdefs-dialect=${namespace})
  mlir_tablegen(${dialect}Enums.h.inc -gen-enum-decls)
  mlir_tablegen(${dialect}Enums.cpp.inc -gen-enum-defs)
  foreach(interface ${ARG_INTERFACES})
    set(LLVM_TARGET_DEFINITIONS ${interface}.td)
    mlir_tablegen(${interface}.h.inc -gen-op-interface-decls)
    mlir_tablegen(${interface}.cpp.inc -gen-op-interface-defs)
  endforeach()
  add_public_tablegen_target(${dialect}IncGen)
  _ashlar_document(${dialect}Ops.td ${dialect} -gen-dialect-doc -dialect=${namespace})
  set_property(GLOBAL APPEND PROPERTY ASHLAR_TABLEGEN_TARGETS ${dialect}IncGen)
endfunction()

# ashlar_tablegen_passes(Transforms) runs mlir-tblgen over Passes.td in the current folder.
function(ashlar_tablegen_passes name)
  include_directories(SYSTEM ${MLIR_INCLUDE_DIRS})
  set(LLVM_TARGET_DEFINITIONS Passes.td)
  mlir_tablegen(Passes.h.inc -gen-pass-decls -name Ashlar${name})
  add_public_tablegen_target(${name}PassesIncGen)
  _ashlar_document(Passes.td ${name}Passes -gen-pass-doc)
  set_property(GLOBAL APPEND PROPERTY ASHLAR_TABLEGEN_TARGETS ${name}PassesIncGen)
endfunction()

# Adds build/docs/<name>.md, made from a .td file, to the target `docs`.
function(_ashlar_document source name)
  if(NOT TARGET docs)
    add_custom_target(docs)
  endif()
  set(page ${PROJECT_BINARY_DIR}/docs/${name}.md)
  add_custom_command(OUTPUT ${page}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/docs
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I ${MLIR_INCLUDE_DIRS} -I ${PROJECT_SOURCE_DIR}
            ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${page}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source} VERBATIM)
  add_custom_target(docs-${name} DEPENDS ${page})
  add_dependencies(docs docs-${name})
endfunction()

# ashlar_mlir_library(AshlarGraph SOURCES a.cpp b.cpp [DEPS other...]): a static library over shared MLIR.
function(ashlar_mlir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  _ashlar_use_mlir(${name} ashlar_mlir_pch)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} MLIR LLVM)
endfunction()

# ashlar_mlir_executable(ashlar-opt SOURCES ... DEPS ...)
function(ashlar_mlir_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  _ashlar_use_mlir(${name} ashlar_mlir_pch)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} MLIR LLVM)
endfunction()

function(_ashlar_use_mlir name precompiled)
  get_property(tablegen GLOBAL PROPERTY ASHLAR_TABLEGEN_TARGETS)
  if(tablegen)
    add_dependencies(${name} ${tablegen})
  endif()
  target_include_directories(${name} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_definitions(${name} PRIVATE ${ASHLAR_LLVM_DEFINITIONS})
  target_compile_options(${name} PRIVATE ${ASHLAR_MLIR_OPTIONS})
  _ashlar_reuse(${name} ${precompiled})
endfunction()

# ashlar_library(ashlar_base SOURCES a.cc [DEPS ...]): a static library with no MLIR in it. It throws nothing itself, but
# std::bad_alloc passes through it to where an application, or the C interface, catches it.
function(ashlar_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${ASHLAR_WARNINGS})
  _ashlar_reuse(${name} ashlar_pch)
  target_link_libraries(${name} PUBLIC ${ARG_DEPS})
endfunction()

# ashlar_executable(name SOURCES ... DEPS ...): a program with no MLIR in it.
function(ashlar_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${ASHLAR_WARNINGS} -fno-exceptions)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
endfunction()

# ashlar_gtest(foo_test SOURCES foo_test.cc DEPS ...): a GoogleTest program, found by lit under build/test/unit.
function(ashlar_gtest name)
  cmake_parse_arguments(ARG "MLIR" "" "SOURCES;DEPS" ${ARGN})
  if(NOT ASHLAR_TESTS)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  if(ARG_MLIR)
    _ashlar_use_mlir(${name} ashlar_mlir_test_pch)
    target_link_libraries(${name} PRIVATE MLIR LLVM)
  else()
    target_compile_options(${name} PRIVATE ${ASHLAR_TEST_OPTIONS})
    _ashlar_reuse(${name} ashlar_test_pch)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/unit)
  set_property(GLOBAL APPEND PROPERTY ASHLAR_UNIT_TESTS ${name})
endfunction()
