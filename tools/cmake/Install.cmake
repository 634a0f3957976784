# What `cmake --install build --prefix P` puts where: the runtime for applications, with pkg-config and
# find_package(Ashlar). runtime/api/README.md says how to use it.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Ashlar)
set_target_properties(ashlar_runtime PROPERTIES EXPORT_NAME runtime)
set_target_properties(ashlar_runtime_static PROPERTIES EXPORT_NAME cxx)
install(TARGETS ashlar_runtime EXPORT AshlarTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ashlar_runtime_static EXPORT AshlarCxxTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT AshlarTargets NAMESPACE Ashlar:: DESTINATION ${package})
install(EXPORT AshlarCxxTargets NAMESPACE Ashlar:: DESTINATION ${package})

# The C header stands alone; the C++ headers keep their paths from the root of the repository.
install(FILES ${PROJECT_SOURCE_DIR}/runtime/api/ashlar.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime ${PROJECT_BINARY_DIR}/runtime
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ashlar
  FILES_MATCHING PATTERN "*.h" PATTERN "error_codes.def"
  PATTERN "CMakeFiles" EXCLUDE PATTERN "python" EXCLUDE PATTERN "testing" EXCLUDE PATTERN "testdata" EXCLUDE
  PATTERN "emulator" EXCLUDE PATTERN "npy" EXCLUDE PATTERN "runtime/api/c" EXCLUDE PATTERN "runtime/api/ashlar.h" EXCLUDE
  PATTERN "*_test_base.h" EXCLUDE)

configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/AshlarConfig.cmake.in
  ${PROJECT_BINARY_DIR}/AshlarConfig.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/AshlarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/AshlarConfig.cmake ${PROJECT_BINARY_DIR}/AshlarConfigVersion.cmake
  DESTINATION ${package})
file(RELATIVE_PATH ASHLAR_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/ashlar.pc.in ${PROJECT_BINARY_DIR}/ashlar.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ashlar.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
