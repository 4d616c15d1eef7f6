// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// From what main() was given to a configuration: the file, over it the environment, over that the flags. Asking again
// with the same arguments reads the file again, which is what a reload does.
#pragma once

#include <string>
#include <vector>

#include <spillway/config.h>

#include "client/publish.h"
#include "client/tail.h"
#include "server/config_flags.h"

namespace spillway::server {

/// What main() has to do next: run `command` (serve, doctor; publish and tail with their options) with `config` after logging `notices`; or write `text` (to standard error if the
/// code is not 0, else to standard output) and leave with `exit_code`.
struct LoadOutcome {
    bool run = false;
    Command command = Command::serve;
    bool json = false;  // of doctor
    Config config;
    client::PublishOptions publish;
    client::TailOptions tail;
    std::vector<std::string> notices;  // nothing is wrong, but the operator should know
    std::string text;                  // whole lines
    int exit_code = 0;                 // 0 done as asked, 1 configuration refused, 2 command line not understood
};

/// `environment` as main() gets it, ended by nullptr; variables that do not begin with SPILLWAY_ are not looked at.
[[nodiscard]] LoadOutcome load_config(int argc, const char* const* argv, const char* const* environment);

}  // namespace spillway::server
