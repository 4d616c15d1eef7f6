// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// spillway: flags -> Config -> serve.
#include <cstdio>

#include "base/log.h"
#include "server/config_load.h"
#include "server/server.h"

int main(int argc, char** argv, char** environment) {
    namespace log = spillway::base::log;
    const auto loaded = spillway::server::load_config(argc, argv, environment);
    if (!loaded.run) {
        std::fputs(loaded.text.c_str(), loaded.exit_code == 0 ? stdout : stderr);
        return loaded.exit_code;
    }
    const auto& config = loaded.config;
    log::init(log::level_named(config.log_level).value_or(log::Level::info),
              config.log_format == spillway::LogFormat::json ? log::Format::json : log::Format::text);
    for (const auto& notice : loaded.notices) log::info(notice);

    const auto served = spillway::server::serve(config);
    if (!served) log::error(served.error());
    log::shutdown();
    return served ? *served : 1;
}
