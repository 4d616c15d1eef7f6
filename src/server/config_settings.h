// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The one table of everything an operator can set: its name, what it means and how its text becomes a value. Flags,
// environment and file all read from it, so a setting has the same name, limits and refusals wherever it is written:
// `--ping-interval`, `SPILLWAY_PING_INTERVAL`, and `ping_interval` under [server].
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <spillway/config.h>

#include "base/result.h"

namespace spillway::server {

/// An app while its sources are read, with what must be known about them.
struct AppDraft {
    AppConfig app;
    std::string where;                       // for messages: "spillway.toml:12", "--app"
    std::optional<bool> client_events;       // unset: the server's
    std::optional<std::string> secret_file;  // as written; read by whoever knows its folder
    bool has_event_bytes = false;
};

/// A configuration while its sources are laid over one another.
struct ConfigDraft {
    Config config;
    std::optional<bool> client_events;  // for apps that do not say; unset: on for the development app alone
    std::vector<AppDraft> apps;
};

struct Setting {
    std::string_view name;      // as a flag, without the dashes
    std::string_view operand;   // what to write after it, for the help; empty = a switch
    std::string_view standard;  // the default, for the help
    std::string_view meaning;
    base::Result<void> (*apply)(ConfigDraft& draft, std::string_view text);
    /// Of what cannot change while running: puts the running value into `next` and tells whether that was another one.
    bool (*hold)(Config& next, const Config& running) = nullptr;
};

struct AppSetting {
    std::string_view key;
    base::Result<void> (*apply)(AppDraft& draft, std::string_view text);
};

/// One key of an [[app.webhook]]. `headers`, which is a table of its own, is read by whoever reads the file.
struct WebhookSetting {
    std::string_view key;
    base::Result<void> (*apply)(WebhookConfig& webhook, std::string_view text);
};

[[nodiscard]] std::span<const Setting> server_settings();
[[nodiscard]] std::span<const AppSetting> app_settings();
[[nodiscard]] std::span<const WebhookSetting> webhook_settings();

/// The setting of that flag name, or nullptr.
[[nodiscard]] const Setting* find_setting(std::string_view name);

/// "max-clients" as a key of the file ("max_clients") and as a variable ("SPILLWAY_MAX_CLIENTS").
[[nodiscard]] std::string key_name(std::string_view flag_name);
[[nodiscard]] std::string variable_name(std::string_view flag_name);

/// "ID:KEY:SECRET" as an app; `where` goes into messages.
[[nodiscard]] base::Result<AppDraft> parse_app(std::string_view text, std::string where);

/// A configuration ready to run, and what the operator should be told though nothing is wrong.
struct CheckedConfig {
    Config config;
    std::vector<std::string> notices;
};

/// Puts the defaults that depend on other values in place, and refuses what cannot be right together.
[[nodiscard]] base::Result<CheckedConfig> finish(ConfigDraft draft);

}  // namespace spillway::server
