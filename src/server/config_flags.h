// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line, read but not yet laid over anything: which command, which settings in which words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/config_settings.h"

namespace spillway::server {

enum class Command : std::uint8_t {
    serve,
    check_config,
    profiles,
    doctor,
    publish,
    tail,
    manual,
    completion,
    help,
    version
};

/// A command as help, manual and completion tell of it.
struct CommandEntry {
    std::string_view name;
    std::string_view operand;  // what follows it; empty = flags alone
    std::string_view meaning;
    Command command;
};
[[nodiscard]] std::span<const CommandEntry> commands();

/// A flag that one command alone has.
struct CommandFlag {
    std::string_view command;
    std::string_view name;     // without its dashes
    std::string_view operand;  // empty = a switch
    std::string_view meaning;
    std::string_view standard;
};
[[nodiscard]] std::span<const CommandFlag> command_flags();

struct CommandLine {
    Command command = Command::serve;
    std::string_view about;                                        // help: of this command alone; empty = of all
    std::string config_file;                                       // empty = none named
    std::vector<std::pair<const Setting*, std::string>> settings;  // as written, not checked
    std::string shell;                                             // of completion
    std::vector<std::pair<const CommandFlag*, std::string>> own;   // of the command, not checked; a switch has no text
    std::vector<std::string> operands;                             // of publish and tail
    std::vector<std::string> apps;                                 // ID:KEY:SECRET, not checked

    /// What was given for a flag of the command; nothing if it was not.
    [[nodiscard]] std::optional<std::string_view> given(std::string_view name) const;
};

/// Reads what main() was given. Unknown flags and words are refused with the nearest known one.
[[nodiscard]] base::Result<CommandLine> read_command_line(int argc, const char* const* argv);

/// Overwrites the secrets after --app and other flags in place, as /proc/PID/cmdline and ps show them to every user of the host. True if
/// there were any. For main(), once it has a copy.
bool hide_secrets(int argc, char** argv);

/// Our variables (SPILLWAY_...), and in their place nothing but stars behind those that hold secrets, for whoever may read
/// /proc/PID/environ. For main(), before anything reads the environment.
[[nodiscard]] std::vector<std::string> take_variables(char** environment);

/// What --help prints: of everything, or of the command of that name.
[[nodiscard]] std::string help_text(std::string_view about = {});

/// How publish and tail find what they need, and their exit codes.
[[nodiscard]] std::string_view companions_text();

/// What --version prints: version and build id.
[[nodiscard]] std::string version_text();

}  // namespace spillway::server
