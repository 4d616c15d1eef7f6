// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace spillway::base {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "spillway: assertion failed: %s (%s:%d)\n", condition, file, line);
    std::abort();
}

}  // namespace spillway::base
