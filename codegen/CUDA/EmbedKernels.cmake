# Writes the device library's files as a table of strings, so that compilers get them from memory:
#   cmake -DOUTPUT=x.cpp "-DFILES=a.h;b.cuh" -P EmbedKernels.cmake
set(table "")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND table "    {\"${name}\", R\"ashlar_text(${text})ashlar_text\"},\n")
endforeach()
file(WRITE ${OUTPUT}.new "// Made from codegen/CUDA/kernels.
#include \"codegen/CUDA/KernelSources.h\"
namespace ashlar {
const std::vector<KernelSource> &getKernelSources() {
  static const std::vector<KernelSource> sources = {
${table}  };
  return sources;
}
} // namespace ashlar
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUTPUT}.new ${OUTPUT})
file(REMOVE ${OUTPUT}.new)
