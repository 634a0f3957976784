// Compiled only to make the precompiled header; see MLIRPrecompiled.h.
