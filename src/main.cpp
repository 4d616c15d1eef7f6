// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// spillway: flags -> Config -> serve, or a companion.
#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/publish.h"
#include "client/tail.h"
#include "io/privileges.h"
#include "server/config_flags.h"
#include "server/config_load.h"
#include "server/doctor.h"
#include "server/server.h"

int main(int argc, char** argv, char** given_environment) {
    namespace log = spillway::base::log;
    // A copy: a reload reads the flags again, and what is in argv is shown to every user of the host.
    const std::vector<std::string> words(argv, argv + argc);
    const bool secrets_shown = spillway::server::hide_secrets(argc, argv);
    const std::vector<std::string> variables = spillway::server::take_variables(given_environment);
    const auto load = [&words, &variables] {
        std::vector<const char*> arguments;
        arguments.reserve(words.size());
        for (const std::string& word : words) arguments.push_back(word.c_str());
        std::vector<const char*> environment;
        environment.reserve(variables.size() + 1);
        for (const std::string& variable : variables) environment.push_back(variable.c_str());
        environment.push_back(nullptr);
        return spillway::server::load_config(static_cast<int>(arguments.size()), arguments.data(), environment.data());
    };
    const auto loaded = load();
    if (!loaded.run) {
        std::fputs(loaded.text.c_str(), loaded.exit_code == 0 ? stdout : stderr);
        return loaded.exit_code;
    }
    const auto& config = loaded.config;
    if (loaded.command == spillway::server::Command::doctor) {
        const auto diagnosis = spillway::server::diagnose(config, loaded.json);
        std::fputs(diagnosis.text.c_str(), stdout);
        return diagnosis.exit_code;
    }
    if (loaded.command == spillway::server::Command::publish) return spillway::client::publish(loaded.publish);
    if (loaded.command == spillway::server::Command::tail) return spillway::client::tail(loaded.tail);
    spillway::io::forbid_new_privileges();  // before there are threads: each inherits it
    if (!config.development_app) spillway::io::hide_memory();
    log::init(log::level_named(config.log_level).value_or(log::Level::info),
              config.log_format == spillway::LogFormat::json ? log::Format::json : log::Format::text);
    if (secrets_shown)
        log::warn(
            "a secret stood on the command line, where other users could read it for a moment; SPILLWAY_APP or a file "
            "keep it");
    for (const auto& notice : loaded.notices) log::info(notice);

    const auto served = spillway::server::serve(config, load);
    if (!served) log::error(served.error());
    log::shutdown();
    return served ? *served : 1;
}
