// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/snapshot.h"

#include <algorithm>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "server/config_settings.h"

using namespace spillway;
using namespace spillway::server;

namespace {

Config with_apps(std::vector<std::string> ids) {
    Config config;
    for (std::string& id : ids) {
        AppConfig app;
        app.key = id;
        app.secret = "s";
        app.id = std::move(id);
        config.apps.push_back(std::move(app));
    }
    return config;
}

}  // namespace

TEST_CASE("a reload tells what came and what went", "[server][snapshot][reload]") {
    const auto first = first_snapshot(with_apps({"a", "b"}));
    CHECK(first->apps.size() == 2);
    CHECK(first->config.apps.empty());
    const auto next = succeed(*first, with_apps({"b", "c", "d"}));
    REQUIRE(next);
    CHECK(next->apps_added == 2);
    CHECK(next->apps_removed == 1);
    CHECK(next->notices.empty());
    CHECK(next->snapshot->apps.served() == 3);
    const auto back = succeed(*next->snapshot, with_apps({"a", "b"}));
    REQUIRE(back);
    CHECK(back->apps_added == 1);
    CHECK(back->apps_removed == 2);
}

TEST_CASE("limits and timeouts change, ports and cores do not and are named", "[server][snapshot][reload]") {
    Config config = with_apps({"a"});
    config.host = "127.0.0.1";
    const auto first = first_snapshot(config);
    Config wanted = config;
    wanted.host = "0.0.0.0";
    wanted.port = 7001;
    wanted.cores = 3;
    wanted.cpus = {0, 1, 2};
    wanted.log_format = LogFormat::json;
    wanted.max_clients = 5;
    wanted.queue_bytes = 4096;
    wanted.ping_interval = Milliseconds{1};
    wanted.path_prefix = "/live";
    const auto next = succeed(*first, wanted);
    REQUIRE(next);
    const Config& now = next->snapshot->config;
    CHECK(now.host == "127.0.0.1");
    CHECK(now.port == 6001);
    CHECK(now.cores == 0);
    CHECK(now.cpus.empty());
    CHECK(now.log_format == LogFormat::text);
    CHECK(now.max_clients == 5);
    CHECK(now.queue_bytes == 4096);
    CHECK(now.ping_interval == Milliseconds{1});
    CHECK(now.path_prefix == "/live");
    for (const std::string name : {"host", "port", "cores", "log_format"}) {
        CAPTURE(name);
        CHECK(std::ranges::count_if(next->notices, [&](const std::string& n) { return n.starts_with(name + " "); }) ==
              1);
    }
    CHECK(next->notices.size() == 4);
}
