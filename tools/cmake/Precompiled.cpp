// Compiled only to make the precompiled headers, *Precompiled.h beside it.
