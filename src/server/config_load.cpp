// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_load.h"

#include <algorithm>
#include <expected>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "base/result.h"
#include "server/companions.h"
#include "server/config_file.h"
#include "server/config_flags.h"
#include "server/config_profiles.h"
#include "server/config_settings.h"
#include "server/config_values.h"
#include "server/manual.h"

namespace spillway::server {

namespace {

using base::concat;
using base::fail;
using Applied = base::Result<void>;

constexpr std::string_view kPrefix = "SPILLWAY_";

struct Variable {
    std::string_view name;
    std::string_view value;
};

/// Our variables. An empty value is an unset one: that is how a container file says "none".
std::vector<Variable> our_variables(const char* const* environment) {
    std::vector<Variable> found;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry(*environment);
        const std::size_t equals = entry.find('=');
        if (!entry.starts_with(kPrefix) || equals == std::string_view::npos || equals + 1 == entry.size()) continue;
        found.push_back({entry.substr(0, equals), entry.substr(equals + 1)});
    }
    return found;
}

std::string_view value_of(const std::vector<Variable>& variables, std::string_view name) {
    const auto found =
        std::find_if(variables.begin(), variables.end(), [name](const Variable& v) { return v.name == name; });
    return found == variables.end() ? std::string_view{} : found->value;
}

/// Kubernetes gives every pod beside a service called "spillway" SPILLWAY_PORT=tcp://10.0.0.1:6001 and its kin.
bool is_service_link(const Variable& variable) {
    return variable.value.starts_with("tcp://") || variable.name.starts_with("SPILLWAY_SERVICE_") ||
           variable.name.starts_with("SPILLWAY_PORT_");
}

base::Result<std::vector<AppDraft>> parse_apps(const std::vector<std::string>& texts, std::string_view where) {
    std::vector<AppDraft> apps;
    for (const std::string& text : texts) {
        auto app = parse_app(text, std::string(where));
        if (!app) return fail(std::move(app).error());
        apps.push_back(*std::move(app));
    }
    return apps;
}

std::vector<std::string> split_at_spaces(std::string_view text) {
    constexpr std::string_view spaces = " \t\r\n";
    std::vector<std::string> parts;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(spaces), text.size()));
        if (text.empty()) return parts;
        const std::size_t end = std::min(text.find_first_of(spaces), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

/// Apps of a stronger source replace those of the weaker: like every setting, the list has one origin.
Applied lay_apps(ConfigDraft& draft, const std::vector<std::string>& texts, std::string_view where) {
    if (texts.empty()) return {};
    auto apps = parse_apps(texts, where);
    if (!apps) return fail(std::move(apps).error());
    draft.apps = *std::move(apps);
    return {};
}

Applied lay_environment(ConfigDraft& draft, const std::vector<Variable>& variables, std::vector<std::string>& notices) {
    std::vector<std::string> known = {"SPILLWAY_APP", "SPILLWAY_CONFIG"};
    for (const Setting& setting : server_settings()) known.push_back(variable_name(setting.name));
    const std::vector<std::string_view> names(known.begin(), known.end());
    for (const Variable& variable : variables) {
        if (is_service_link(variable)) {
            if (std::find(names.begin(), names.end(), variable.name) != names.end()) {
                notices.push_back(concat(variable.name, " looks like a Kubernetes service link and is ignored"));
            }
            continue;
        }
        if (variable.name == "SPILLWAY_CONFIG") continue;
        if (variable.name == "SPILLWAY_APP") {
            if (Applied laid = lay_apps(draft, split_at_spaces(variable.value), variable.name); !laid) return laid;
            continue;
        }
        const auto settings = server_settings();
        const auto setting = std::find_if(settings.begin(), settings.end(),
                                          [&](const Setting& s) { return variable_name(s.name) == variable.name; });
        if (setting == settings.end()) {
            // Not refused: an environment is shared with programs that may have such names of their own.
            notices.push_back(concat("unknown variable ", base::log::escaped(variable.name, 64), " is ignored",
                                     suggestion(variable.name, names)));
            continue;
        }
        if (const Applied applied = setting->apply(draft, variable.value); !applied) {
            return fail(concat(variable.name, ": ", applied.error()));
        }
    }
    return {};
}

Applied lay_flags(ConfigDraft& draft, const CommandLine& line) {
    for (const auto& [setting, text] : line.settings) {
        if (const Applied applied = setting->apply(draft, text); !applied) {
            return fail(concat("--", setting->name, ": ", applied.error()));
        }
    }
    return lay_apps(draft, line.apps, "--app");
}

LoadOutcome leave(int exit_code, std::string_view text) {
    LoadOutcome outcome;
    outcome.exit_code = exit_code;
    outcome.text = text;
    if (!outcome.text.ends_with('\n')) outcome.text += '\n';
    return outcome;
}

LoadOutcome misunderstood(std::string_view reason) {
    return leave(2, concat("spillway: ", reason, "\nspillway --help lists what there is.\n"));
}

/// Where settings come from, the weakest first: the profile that the others name, the file, the environment, the flags.
struct Sources {
    std::string file;  // empty = none
    std::vector<Variable> variables;
    const CommandLine& line;
};

/// What went wrong, and whose it was: the exit code tells.
struct Refused {
    int exit_code = 1;
    std::string reason;
};

std::expected<ConfigDraft, Refused> lay(const Sources& sources, std::string_view profile,
                                        std::vector<std::string>& notices) {
    ConfigDraft draft;
    if (Applied laid = lay_profile(draft, profile); !laid) return std::unexpected(Refused{1, laid.error()});
    if (!sources.file.empty()) {
        if (Applied read = read_config_file(sources.file, draft); !read)
            return std::unexpected(Refused{1, read.error()});
    }
    if (Applied laid = lay_environment(draft, sources.variables, notices); !laid)
        return std::unexpected(Refused{1, concat("spillway: ", laid.error())});
    if (Applied laid = lay_flags(draft, sources.line); !laid) return std::unexpected(Refused{2, laid.error()});
    return draft;
}

/// Twice where a profile is named: only all sources together say which, and it lies under them.
std::expected<ConfigDraft, Refused> lay(const Sources& sources, std::vector<std::string>& notices) {
    auto draft = lay(sources, {}, notices);
    if (!draft || draft->config.profile.empty()) return draft;
    notices.clear();
    return lay(sources, std::string(draft->config.profile), notices);
}

LoadOutcome refuse(const Refused& refused) {
    return refused.exit_code == 2 ? misunderstood(refused.reason) : leave(refused.exit_code, refused.reason);
}

/// The file and the flags, as far as they go: what the environment will be on the day is not known here.
LoadOutcome check(const CommandLine& line) {
    if (line.config_file.empty()) return misunderstood("check-config needs a file");
    std::vector<std::string> notices;
    auto draft = lay({line.config_file, {}, line}, notices);
    if (!draft) return refuse(draft.error());
    const auto checked = finish(*std::move(draft));
    if (!checked) {
        // Some sentences name the file and line themselves.
        return leave(1, checked.error().starts_with(line.config_file)
                            ? checked.error()
                            : concat(line.config_file, ": ", checked.error()));
    }
    std::string text;
    for (const std::string& notice : checked->notices) base::append(text, "note: ", notice, '\n');
    const Config& config = checked->config;
    const std::size_t apps = config.apps.size();
    base::append(text, "OK: ", config.development_app ? 0 : apps,
                 apps == 1 && !config.development_app ? " app" : " apps",
                 config.development_app ? " (the development app stands in)" : "", ", port ", config.port, '\n');
    return leave(0, text);
}

LoadOutcome serve(const CommandLine& line, const char* const* environment) {
    LoadOutcome outcome;
    Sources sources{line.config_file, our_variables(environment), line};
    if (sources.file.empty()) sources.file = value_of(sources.variables, "SPILLWAY_CONFIG");
    auto draft = lay(sources, outcome.notices);
    if (!draft) return refuse(draft.error());
    auto checked = finish(*std::move(draft));
    if (!checked) return leave(1, concat("spillway: ", checked.error()));
    outcome.run = true;
    outcome.command = line.command;
    outcome.json = line.given("json").has_value();
    outcome.config = std::move(checked->config);
    if (line.command == Command::publish) {
        auto options = publish_options(outcome.config, line);
        if (!options) return misunderstood(options.error());
        outcome.publish = *std::move(options);
    }
    if (line.command == Command::tail) {
        auto options = tail_options(outcome.config, line);
        if (!options) return misunderstood(options.error());
        outcome.tail = *std::move(options);
    }
    std::move(checked->notices.begin(), checked->notices.end(), std::back_inserter(outcome.notices));
    return outcome;
}

}  // namespace

LoadOutcome load_config(int argc, const char* const* argv, const char* const* environment) {
    const auto line = read_command_line(argc, argv);
    if (!line) return misunderstood(line.error());
    switch (line->command) {
        case Command::help: return leave(0, help_text(line->about));
        case Command::version: return leave(0, version_text());
        case Command::check_config: return check(*line);
        case Command::manual: return leave(0, manual_page());
        case Command::completion: {
            const auto script = completion_script(line->shell);
            return script ? leave(0, *script) : misunderstood(script.error());
        }
        case Command::profiles: return leave(0, profiles_text());
        case Command::doctor:
        case Command::publish:
        case Command::tail:
        case Command::serve: break;
    }
    return serve(*line, environment);
}

}  // namespace spillway::server
