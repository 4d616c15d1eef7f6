// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The manual page and the shells' completion, written from the tables that the command line is read with: they cannot tell
// of anything that is not there.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::server {

/// spillway(1) in the man macros of roff.
[[nodiscard]] std::string manual_page();

/// For "bash" or "zsh"; other shells are refused.
[[nodiscard]] base::Result<std::string> completion_script(std::string_view shell);

}  // namespace spillway::server
