// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// `spillway doctor`: looks at the host as the server with this configuration would find it, and says what should change.
#pragma once

#include <span>
#include <string>

#include <spillway/config.h>

#include "io/checkup.h"

namespace spillway::server {

struct Diagnosis {
    std::string text;   // whole lines
    int exit_code = 0;  // 0 nothing should change, 1 something should, 2 Spillway cannot run here
};

/// Asks this host. Takes some milliseconds; needs no rights.
[[nodiscard]] Diagnosis diagnose(const Config& config, bool as_json);

[[nodiscard]] std::string findings_text(std::span<const io::Finding> findings);
/// {"exit_code":n,"findings":[{"topic","verdict","found","change"}]}
[[nodiscard]] std::string findings_json(std::span<const io::Finding> findings, int exit_code);

}  // namespace spillway::server
