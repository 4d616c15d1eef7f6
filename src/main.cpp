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

#ifdef SPILLWAY_MIMALLOC
#include <mimalloc.h>
#endif

/// Free memory goes back to the host after a millisecond, however much else is freed meanwhile. As mimalloc comes it waits for 25,
/// and one more for each page that is freed in the meantime, so that what a storm of channels leaves never goes. Not after
/// none as long as there is enough: large messages, whose memory is used again at once, would take twice the time.
extern "C" void spillway_free_at_once([[maybe_unused]] bool wanted) {
#if defined(SPILLWAY_MIMALLOC) && MI_MALLOC_VERSION < 210             // later ones have other names for it
    mi_option_set_default(mi_option_decommit_delay, wanted ? 0 : 1);  // the environment has the last word
    mi_option_set_default(mi_option_decommit_extend_delay, 0);
#endif
}

int main(int argc, char** argv, char** given_environment) {
    namespace log = spillway::base::log;
    spillway_free_at_once(false);
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
    if (!config.development_app) spillway::io::hide_memory();
    if (loaded.command == spillway::server::Command::doctor) {
        const auto diagnosis = spillway::server::diagnose(config, loaded.json);
        std::fputs(diagnosis.text.c_str(), stdout);
        return diagnosis.exit_code;
    }
    if (loaded.command == spillway::server::Command::publish) return spillway::client::publish(loaded.publish);
    if (loaded.command == spillway::server::Command::tail) return spillway::client::tail(loaded.tail);
    spillway::io::forbid_new_privileges();  // before there are threads: each inherits it
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
