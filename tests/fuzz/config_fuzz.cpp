// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any text as a configuration file: taken whole, and then everything in it is fit to run with; or refused with a line of
// printable text for each fault, each with the file's name.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "property.h"
#include "server/config_file.h"
#include "server/snapshot.h"

using namespace spillway;
using namespace spillway::server;

namespace {

using spillway::fuzz::require;

void check_sentence(std::string_view sentence) {
    require(!sentence.empty() && sentence.size() < 2000);
    require(std::ranges::none_of(sentence, [](char c) { return c == '\n' || c == '\r' || c == '\0' || c == '\x1b'; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (text.find("secret_file") != std::string_view::npos) return 0;  // opens files of this host
    ConfigDraft draft;
    const auto read = read_config_text(text, "f.toml", draft);
    if (!read) {
        for (const auto line : std::views::split(read.error(), '\n')) {
            const std::string_view fault(line.begin(), line.end());
            require(fault.starts_with("f.toml:"));
            check_sentence(fault);
        }
        return 0;
    }
    auto checked = finish(std::move(draft));
    if (!checked) {
        check_sentence(checked.error());
        return 0;
    }
    const Config& config = checked->config;
    require(!config.apps.empty() && config.queue_messages > 0 && config.queue_bytes > 0 && config.max_headers > 0);
    require(config.read_timeout >= config.ping_interval + config.pong_timeout);
    std::set<std::string> ids;
    std::set<std::string> keys;
    for (const AppConfig& app : config.apps) {
        require(!app.secret.empty() && ids.insert(app.id).second && keys.insert(app.key).second);
        require(app.id.find_first_of("/:? \r\n") == std::string::npos);
        for (const WebhookConfig& webhook : app.webhooks) {
            require(webhook.url.find_first_of(" \r\n") == std::string::npos);
            for (const std::string& header : webhook.headers)
                require(header.find_first_of("\r\n") == std::string::npos);
        }
    }
    require(first_snapshot(config) != nullptr);
    return 0;
}
