# What differs between compilers and linkers: OSTRO_COMPILER_OPTIONS, OSTRO_LINK_OPTIONS.
set(OSTRO_COMPILER_OPTIONS "")
set(OSTRO_LINK_OPTIONS "")

if(LINUX OR CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # The C interface and nothing else is visible, also of what is linked statically.
  list(APPEND OSTRO_LINK_OPTIONS
    "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/src/ostro/kernels/native/exports.map")
  # One library serves every system: the C++ runtime comes with it.
  foreach(flag -static-libstdc++ -static-libgcc)
    string(MAKE_C_IDENTIFIER "OSTRO_HAS${flag}" has)
    check_linker_flag(CXX ${flag} ${has})
    if(${has})
      list(APPEND OSTRO_LINK_OPTIONS ${flag})
    endif()
  endforeach()
endif()
