// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// From command line and configuration to what the companions are to do.
#pragma once

#include <spillway/config.h>

#include "base/result.h"
#include "client/publish.h"
#include "client/tail.h"
#include "server/config_flags.h"

namespace spillway::server {

/// The failure is a sentence about the command line.
[[nodiscard]] base::Result<client::TailOptions> tail_options(const Config& config, const CommandLine& line);
[[nodiscard]] base::Result<client::PublishOptions> publish_options(const Config& config, const CommandLine& line);

}  // namespace spillway::server
