// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/remark.h"

#include <cstdio>
#include <string>

#include "client/event_line.h"

namespace spillway::client {

void remark(std::string_view text) {
    std::string line = "spillway: ";
    append_harmless(line, text);
    line += '\n';
    std::fputs(line.c_str(), stderr);
}

}  // namespace spillway::client
