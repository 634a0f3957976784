// The same for the compiler's tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/statusor.h"
#include "tools/cmake/MLIRPrecompiled.h"
