// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The configuration file: TOML with [server] and any number of [[app]]. A file is taken whole or refused with the place
// and the reason; a name it does not know is a mistake, never something to skip.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/config_settings.h"

namespace spillway::server {

/// Lays the file over `draft`. On failure the sentence begins with "FILE:LINE: " (or "FILE: " where no line is to
/// blame) and `draft` is not to be used.
[[nodiscard]] base::Result<void> read_config_file(const std::string& path, ConfigDraft& draft);

/// The same with the text at hand. `path` is for messages, and its folder is where a relative `secret_file` is looked
/// for.
[[nodiscard]] base::Result<void> read_config_text(std::string_view text, const std::string& path, ConfigDraft& draft);

}  // namespace spillway::server
