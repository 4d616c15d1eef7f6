// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "base/format.h"
#include "base/log.h"
#include "server/config_values.h"
#include "webhooks/request_header.h"

namespace spillway::server {

namespace {

using base::concat;
using base::fail;
using Applied = base::Result<void>;

constexpr std::size_t kFileBytesMax = 16 * kMiB;
constexpr std::size_t kSecretBytesMax = 4 * kKiB;
constexpr std::size_t kWebhooksMax = 16;  // of one app
constexpr std::size_t kFaultsMax = 20;    // told of one file

/// The whole file, or why not; more than `most` bytes are refused. Works for pipes as well.
base::Result<std::string> read_whole(const std::string& path, std::size_t most) {
    const auto close = [](std::FILE* f) { std::fclose(f); };
    const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
    if (file == nullptr) return fail(concat(path, ": cannot be opened: ", std::strerror(errno)));
    std::string text;
    char chunk[16 * kKiB];
    while (const std::size_t n = std::fread(chunk, 1, sizeof chunk, file.get())) {
        text.append(chunk, n);
        if (text.size() > most) return fail(concat(path, ": is larger than ", size_text(most)));
    }
    if (std::ferror(file.get()) != 0) return fail(concat(path, ": cannot be read: ", std::strerror(errno)));
    return text;
}

struct Fault {
    toml::source_index line = 0;
    std::string text;
};

/// One file being read: what every step needs to say where it is. A fault does not end the reading, so that all are told.
struct Reading {
    const std::string& path;
    ConfigDraft& draft;
    std::vector<Fault>& faults;

    void note(const toml::source_region& source, const Applied& done) const {
        if (!done) faults.push_back({source.begin.line, done.error()});
    }

    [[nodiscard]] std::string at(const toml::source_region& source) const {
        return source.begin.line == 0 ? path : concat(path, ':', source.begin.line);
    }
    [[nodiscard]] std::unexpected<std::string> refuse(const toml::source_region& source,
                                                      std::string_view reason) const {
        return fail(concat(at(source), ": ", reason));
    }
};

std::string quoted(std::string_view name) { return concat('\'', base::log::escaped(name, 64), '\''); }

std::optional<std::string> scalar_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return concat(number->get());
    if (const auto* truth = node.as_boolean()) return std::string(truth->get() ? "true" : "false");
    if (const auto* number = node.as_floating_point(); number != nullptr && std::isfinite(number->get())) {
        char digits[400];
        const auto end = std::to_chars(digits, digits + sizeof digits, number->get(), std::chars_format::fixed).ptr;
        return std::string(digits, end);
    }
    return std::nullopt;
}

/// A value as an operator would write it after a flag. Lists become "a,b,": the last comma tells a list of one from a
/// value.
std::optional<std::string> value_text(const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return scalar_text(node);
    std::string joined;
    for (const toml::node& item : *list) {
        const auto text = scalar_text(item);
        if (!text || text->find(',') != std::string::npos) return std::nullopt;
        base::append(joined, *text, ',');
    }
    return joined;
}

Applied read_value(const Reading& reading, const toml::key& key, const toml::node& node, auto&& apply) {
    const auto text = value_text(node);
    if (!text) return reading.refuse(key.source(), concat(key.str(), " has a value of the wrong kind"));
    if (const Applied applied = apply(std::string_view(*text)); !applied) {
        return reading.refuse(key.source(), concat(key.str(), ": ", applied.error()));
    }
    return {};
}

std::unexpected<std::string> unknown_key(const Reading& reading, const toml::key& key, std::string_view section,
                                         const std::vector<std::string>& known) {
    const std::vector<std::string_view> names(known.begin(), known.end());
    return reading.refuse(key.source(),
                          concat("unknown key ", quoted(key.str()), " in ", section, suggestion(key.str(), names)));
}

Applied read_server_key(const Reading& reading, const toml::key& key, const toml::node& node) {
    std::string flag(key.str());
    // Keys have underscores only: "max-clients" is as unknown here as any other name that is not one.
    const bool dashed = flag.find('-') != std::string::npos;
    std::replace(flag.begin(), flag.end(), '_', '-');
    const Setting* setting = dashed ? nullptr : find_setting(flag);
    if (setting == nullptr) {
        std::vector<std::string> known;
        for (const Setting& s : server_settings()) known.push_back(key_name(s.name));
        return unknown_key(reading, key, "[server]", known);
    }
    return read_value(reading, key, node, [&](std::string_view text) { return setting->apply(reading.draft, text); });
}

/// The secret in a file of its own: its first line, so that the newline an editor leaves does not count.
base::Result<std::string> read_secret(const std::string& config_path, const std::string& secret_path) {
    const std::filesystem::path path = std::filesystem::path(config_path).parent_path() / secret_path;
    auto text = read_whole(path.string(), kSecretBytesMax);
    if (!text) return text;
    text->resize(std::min(text->find_first_of("\r\n"), text->size()));
    if (text->empty()) return fail(path.string() + ": holds no secret in its first line");
    return text;
}

Applied read_headers(const Reading& reading, const toml::key& key, const toml::node& node, WebhookConfig& webhook) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return reading.refuse(key.source(), "headers are written as headers = { Name = \"value\" }");
    if (table->size() > webhooks::kRequestHeadersMax)
        return reading.refuse(key.source(), concat("at most ", webhooks::kRequestHeadersMax, " headers are possible"));
    for (const auto& [name, value] : *table) {
        const auto text = scalar_text(value);
        if (!text) return reading.refuse(name.source(), concat(name.str(), " has a value of the wrong kind"));
        auto line = webhooks::request_header(name.str(), *text);
        if (!line) return reading.refuse(name.source(), concat("the header ", quoted(name.str()), ' ', line.error()));
        webhook.headers.push_back(*std::move(line));
    }
    return {};
}

Applied read_webhook_key(const Reading& reading, const toml::key& key, const toml::node& node, WebhookConfig& webhook) {
    const std::string_view name = key.str();
    if (name == "headers") return read_headers(reading, key, node, webhook);
    const auto settings = webhook_settings();
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [name](const WebhookSetting& s) { return s.key == name; });
    if (setting == settings.end()) {
        std::vector<std::string> known{"headers"};
        for (const WebhookSetting& s : settings) known.emplace_back(s.key);
        return unknown_key(reading, key, "[[app.webhook]]", known);
    }
    return read_value(reading, key, node, [&](std::string_view text) { return setting->apply(webhook, text); });
}

Applied read_webhook(const Reading& reading, const toml::table& table, AppConfig& app) {
    WebhookConfig webhook;
    const std::size_t before = reading.faults.size();
    for (const auto& [key, node] : table) reading.note(key.source(), read_webhook_key(reading, key, node, webhook));
    if (reading.faults.size() != before) return {};  // one of them may be the address
    if (webhook.url.empty()) return reading.refuse(table.source(), "a webhook needs 'url'");
    app.webhook_events.add(webhook.events.with_opposites());
    app.webhooks.push_back(std::move(webhook));
    return {};
}

Applied read_webhooks(const Reading& reading, const toml::key& key, const toml::node& node, AppConfig& app) {
    const toml::array* list = node.as_array();
    if (list == nullptr)
        return reading.refuse(key.source(), "webhooks are written as [[app.webhook]], with two brackets");
    if (list->size() > kWebhooksMax)
        return reading.refuse(key.source(), concat("at most ", kWebhooksMax, " webhooks are possible for one app"));
    for (const toml::node& item : *list) {
        const toml::table* table = item.as_table();
        if (table == nullptr)
            return reading.refuse(key.source(), "webhooks are written as [[app.webhook]], each with its own keys");
        reading.note(table->source(), read_webhook(reading, *table, app));
    }
    return {};
}

Applied read_app_key(const Reading& reading, const toml::key& key, const toml::node& node, AppDraft& app) {
    const std::string_view name = key.str();
    if (name == "webhook") return read_webhooks(reading, key, node, app.app);
    const auto settings = app_settings();
    const auto setting =
        std::find_if(settings.begin(), settings.end(), [name](const AppSetting& s) { return s.key == name; });
    if (setting == settings.end()) {
        std::vector<std::string> known;
        for (const AppSetting& s : settings) known.emplace_back(s.key);
        known.emplace_back("webhook");
        return unknown_key(reading, key, "[[app]]", known);
    }
    return read_value(reading, key, node, [&](std::string_view text) { return setting->apply(app, text); });
}

Applied read_app(const Reading& reading, const toml::table& table) {
    AppDraft app;
    app.where = reading.at(table.source());
    for (const auto& [key, node] : table) reading.note(key.source(), read_app_key(reading, key, node, app));
    if (app.secret_file) {
        if (!app.app.secret.empty()) return fail(app.where + ": an app has 'secret' or 'secret_file', not both");
        auto secret = read_secret(reading.path, *app.secret_file);
        if (!secret) return fail(concat(app.where, ": secret_file: ", secret.error()));
        app.app.secret = *std::move(secret);
    }
    reading.draft.apps.push_back(std::move(app));
    return {};
}

Applied read_apps(const Reading& reading, const toml::key& key, const toml::node& node) {
    const toml::array* list = node.as_array();
    if (list == nullptr) return reading.refuse(key.source(), "apps are written as [[app]], with two brackets");
    for (const toml::node& item : *list) {
        const toml::table* table = item.as_table();
        if (table == nullptr)
            return reading.refuse(key.source(), "apps are written as [[app]], each with its own keys");
        reading.note(table->source(), read_app(reading, *table));
    }
    return {};
}

Applied read_root_key(const Reading& reading, const toml::key& key, const toml::node& node) {
    if (key.str() == "app") return read_apps(reading, key, node);
    if (key.str() == "server") {
        const toml::table* table = node.as_table();
        if (table == nullptr)
            return reading.refuse(key.source(), "server is written as [server], a section of its own");
        for (const auto& [name, value] : *table) reading.note(name.source(), read_server_key(reading, name, value));
        return {};
    }
    std::string flag(key.str());
    std::replace(flag.begin(), flag.end(), '_', '-');
    if (find_setting(flag) != nullptr)
        return reading.refuse(key.source(), concat(quoted(key.str()), " belongs under [server]"));
    return unknown_key(reading, key, "the file, whose sections are [server] and [[app]]", {"server", "app"});
}

/// All of them, a line each, in the order of the file.
std::string told(const std::string& path, std::vector<Fault>& faults) {
    std::ranges::stable_sort(faults, {}, &Fault::line);
    std::string text;
    for (std::size_t i = 0; i < std::min(faults.size(), kFaultsMax); ++i)
        base::append(text, i == 0 ? "" : "\n", faults[i].text);
    if (faults.size() > kFaultsMax) base::append(text, '\n', path, ": and ", faults.size() - kFaultsMax, " more");
    return text;
}

/// What the parser says, as one printable line: it shows characters of the file as they are, line feeds too. A number that
/// is too large it shows whole, at its beginning: that may be a secret without its quotes.
std::string reason(std::string_view description) {
    std::string said(description);
    const std::size_t begin = said.find(": '");
    const std::size_t end = said.rfind('\'');
    if (begin != std::string::npos && end > begin + 2) said.replace(begin, end + 1 - begin, ": the value");
    std::string text;
    for (std::size_t i = 0; i < said.size(); ++i) {
        const std::string_view one = std::string_view(said).substr(i, 1);
        text += one == "\\" ? "\\" : base::log::escaped(one);
    }
    return text;
}

}  // namespace

base::Result<void> read_config_text(std::string_view text, const std::string& path, ConfigDraft& draft) {
    toml::table root;
    try {
        root = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        return fail(concat(path, ':', error.source().begin.line, ": ", reason(error.description())));
    }
    std::vector<Fault> faults;
    const Reading reading{path, draft, faults};
    for (const auto& [key, node] : root) reading.note(key.source(), read_root_key(reading, key, node));
    if (!faults.empty()) return fail(told(path, faults));
    return {};
}

base::Result<void> read_config_file(const std::string& path, ConfigDraft& draft) {
    const auto text = read_whole(path, kFileBytesMax);
    if (!text) return fail(text.error());
    return read_config_text(*text, path, draft);
}

}  // namespace spillway::server
