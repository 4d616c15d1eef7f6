// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What a companion says to the person who called it, on standard error: results go to standard output.
#pragma once

#include <string_view>

namespace spillway::client {

/// A line with the program's name before it. What a peer put into the text cannot drive a terminal.
void remark(std::string_view text);

}  // namespace spillway::client
