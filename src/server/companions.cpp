// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/companions.h"

#include <algorithm>
#include <charconv>

#include "base/format.h"

namespace spillway::server {
namespace {

using base::concat;
using base::fail;

/// Where --url says; else where a server with this configuration listens, seen from its own host.
base::Result<client::Endpoint> endpoint_of(const Config& config, const CommandLine& line) {
    if (const auto url = line.given("url")) {
        auto endpoint = client::parse_endpoint(*url);
        return endpoint ? endpoint : fail(concat("--url: ", endpoint.error()));
    }
    if (config.port == 0) return fail("--url must say where the server is: its configuration leaves the port open");
    client::Endpoint endpoint{.host = config.host, .port = config.port, .prefix = config.path_prefix};
    if (endpoint.host.empty() || endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
    if (endpoint.host == "::") endpoint.host = "::1";
    return endpoint;
}

const AppConfig* app_of_key(const Config& config, const CommandLine& line) {
    const auto key = line.given("key");
    const auto found = key ? std::ranges::find(config.apps, *key, &AppConfig::key) : config.apps.begin();
    return found == config.apps.end() ? nullptr : &*found;
}

client::App to_app(const AppConfig& app) { return {.id = app.id, .key = app.key, .secret = app.secret}; }

base::Result<std::uint64_t> number_of(const CommandLine& line, std::string_view name, std::uint64_t standard,
                                      std::uint64_t most) {
    const auto text = line.given(name);
    if (!text) return standard;
    std::uint64_t number = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
    if (read.ec != std::errc{} || read.ptr != text->data() + text->size() || number == 0 || number > most)
        return fail(concat("--", name, ": a number from 1 to ", most, " is wanted"));
    return number;
}

}  // namespace

base::Result<client::TailOptions> tail_options(const Config& config, const CommandLine& line) {
    client::TailOptions options;
    auto endpoint = endpoint_of(config, line);
    if (!endpoint) return fail(std::move(endpoint).error());
    options.endpoint = *std::move(endpoint);
    if (const AppConfig* app = app_of_key(config, line)) options.app = to_app(*app);
    else options.app.key = *line.given("key");
    options.channels = line.operands;
    if (options.channels.empty()) return fail("tail needs a channel");
    for (const auto& [one, other] : {std::pair("feed", "pusher"), std::pair("json", "plain")}) {
        if (line.given(one) && line.given(other)) return fail(concat("--", one, " or --", other, ", not both"));
    }
    if (line.given("feed")) options.wire = client::Wire::feed;
    if (line.given("json")) options.form = client::LineForm::json;
    options.event = line.given("event").value_or("");
    if (!options.event.empty() && options.wire == client::Wire::feed)
        return fail("--event: a feed does not tell the names of events");
    const auto count = number_of(line, "count", 0, UINT64_MAX);
    if (!count) return fail(count.error());
    options.count = *count;
    options.gaps = line.given("gaps").has_value();
    options.reconnect = line.given("reconnect").has_value();
    return options;
}

base::Result<client::PublishOptions> publish_options(const Config& config, const CommandLine& line) {
    client::PublishOptions options;
    auto endpoint = endpoint_of(config, line);
    if (!endpoint) return fail(std::move(endpoint).error());
    options.endpoint = *std::move(endpoint);
    const AppConfig* app = app_of_key(config, line);
    if (app == nullptr) return fail("--key: no app with this key is configured, and publishing needs the secret");
    options.app = to_app(*app);
    options.from_input = line.given("stdin").has_value();
    options.json = line.given("json").has_value();
    const std::size_t words = line.operands.size();
    if (options.json && !options.from_input) return fail("--json goes with --stdin");
    if (options.json && words != 0) return fail("with --json each line names its own channel and event");
    if (!options.json && words < 2) return fail("publish needs CHANNEL and EVENT");
    if (!options.json && words != (options.from_input ? 2 : 3))
        return fail(words == 2   ? "publish needs DATA, or --stdin"
                    : words == 3 ? "DATA or --stdin, not both"
                                 : "publish takes CHANNEL, EVENT and DATA; quote what has blanks in it");
    if (words > 0) options.channel = line.operands[0];
    if (words > 1) options.event = line.operands[1];
    if (words > 2) options.data = line.operands[2];
    const auto window = number_of(line, "window", client::kWindowDefault, client::kWindowMax);
    if (!window) return fail(window.error());
    options.window = *window;
    options.message_bytes_max = config.max_message;
    return options;
}

}  // namespace spillway::server
