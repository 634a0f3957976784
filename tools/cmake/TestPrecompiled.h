// The same for the runtime's tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/cmake/Precompiled.h"
