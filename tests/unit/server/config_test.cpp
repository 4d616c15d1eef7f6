// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "base/format.h"
#include "server/config_file.h"
#include "server/config_flags.h"
#include "server/config_load.h"
#include "server/config_profiles.h"
#include "server/config_settings.h"
#include "server/config_values.h"

using namespace spillway;
using namespace spillway::server;
using namespace std::chrono_literals;
using base::concat;

namespace {

/// A folder of its own that goes with the test.
class Folder {
public:
    Folder()
        : path_(std::filesystem::temp_directory_path() / concat("spillway-config-test-", ::getpid(), '-', ++count_)) {
        std::filesystem::create_directory(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string file(const std::string& name, std::string_view text) const {
        const std::string path = (path_ / name).string();
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }

private:
    static inline int count_ = 0;
    std::filesystem::path path_;
};

LoadOutcome load(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    std::vector<const char*> argv = {"spillway"};
    for (const std::string& a : arguments) argv.push_back(a.c_str());
    argv.push_back(nullptr);
    std::vector<const char*> env;
    for (const std::string& e : environment) env.push_back(e.c_str());
    env.push_back(nullptr);
    return load_config(static_cast<int>(argv.size() - 1), argv.data(), env.data());
}

Config loaded(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    LoadOutcome outcome = load(std::move(arguments), std::move(environment));
    INFO(outcome.text);
    REQUIRE(outcome.run);
    return std::move(outcome.config);
}

/// The reason why a text is refused, or the empty string; the file is called "f".
std::string refusal(std::string_view text) {
    ConfigDraft draft;
    if (const auto read = read_config_text(text, "f", draft); !read) return read.error();
    const auto checked = finish(std::move(draft));
    return checked ? std::string{} : checked.error();
}

Config accepted(std::string_view text) {
    ConfigDraft draft;
    const auto read = read_config_text(text, "f", draft);
    INFO((read ? std::string{} : read.error()));
    REQUIRE(read);
    auto checked = finish(std::move(draft));
    INFO((checked ? std::string{} : checked.error()));
    REQUIRE(checked);
    return std::move(checked->config);
}

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// Three values that a setting takes, each unlike the one before it.
std::array<std::string, 3> samples(const Setting& s) {
    if (s.operand == "ADDRESS") return {"127.0.0.9", "::1", "127.0.0.1"};
    if (s.operand == "PORT") return {"1234", "1235", "1236"};
    if (s.operand == "TIME") return {"101s", "102s", "103s"};
    if (s.operand == "SIZE") return {"16KiB", "17KiB", "18KiB"};
    if (s.operand == "NETWORKS") return {"10.0.0.0/8,::1,unix", "127.0.0.0/8", "::/0"};
    if (s.operand == "PATH") return {"/x", "/y", "/z"};
    if (s.operand == "TOKEN") return {"sixteen-or-more-of-a", "sixteen-or-more-of-b", "sixteen-or-more-of-c"};
    if (s.operand == "SOCKET") return {"/run/a", "/run/b", "/run/c"};
    if (s.operand == "MODE") return {"0600", "666", "0660"};
    if (s.operand == "POLICY") return {"disconnect", "conflate", "drop-newest"};
    if (s.operand == "LEVEL") return {"error", "warn", "debug"};
    if (s.operand == "FORMAT") return {"json", "text", "json"};
    if (s.operand == "NAME") return {"latency", "production", "throughput"};
    if (s.operand.empty()) return {"true", "false", "true"};
    return {"9", "10", "11"};
}

constexpr std::string_view kApp = "[[app]]\nid = \"1\"\nkey = \"k\"\nsecret = \"s\"\n";

}  // namespace

TEST_CASE("durations are read with their units and nothing else is", "[server][config]") {
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("2m") == 120s);
    CHECK(parse_duration("1h") == 3600s);
    CHECK(parse_duration("7") == 7s);
    CHECK(parse_duration("0") == 0ms);
    CHECK(parse_duration("1.5s") == 1500ms);
    CHECK(parse_duration("0.25") == 250ms);
    CHECK(parse_duration("0.5m") == 30s);
    CHECK(parse_duration("8760h") == 8760h);
    for (const char* bad : {"", "s", "30 s", " 30s", "30s ", "-1s", "+1s", "1e3", "30S", "30sec", "1.s", ".5s",
                            "1.5.0s", "1d", "0x10", "0.0005s", "1.5ms", "nan"}) {
        INFO(bad);
        CHECK_FALSE(parse_duration(bad));
    }
}

TEST_CASE("durations beyond a year are refused, however they overflow", "[server][config]") {
    CHECK_FALSE(parse_duration("8761h"));
    CHECK_FALSE(parse_duration("8760.1h"));
    CHECK_FALSE(parse_duration("31536000.001"));
    CHECK_FALSE(parse_duration("18446744073709551615h"));
    CHECK_FALSE(parse_duration("18446744073709551616"));
    CHECK_FALSE(parse_duration("5124095576030432h"));  // wraps to a small number if multiplied blindly
}

TEST_CASE("sizes are read with their units and overflow is refused", "[server][config]") {
    CHECK(parse_size("0") == 0U);
    CHECK(parse_size("1024") == 1024U);
    CHECK(parse_size("512B") == 512U);
    CHECK(parse_size("64KiB") == 65'536U);
    CHECK(parse_size("1MiB") == 1'048'576U);
    CHECK(parse_size("2GiB") == 2'147'483'648U);
    CHECK(parse_size("10kB") == 10'000U);
    CHECK(parse_size("10KB") == 10'000U);
    CHECK(parse_size("3MB") == 3'000'000U);
    CHECK(parse_size("18446744073709551615") == UINT64_MAX);
    for (const char* bad : {"", "KiB", "1 MiB", "1M", "1K", "1mib", "-1", "1.5MiB", "18446744073709551616",
                            "18014398509481984KiB", "17179869184GiB", "1MiBx"}) {
        INFO(bad);
        CHECK_FALSE(parse_size(bad));
    }
    CHECK(parse_size("18014398509481983KiB"));
    CHECK(size_text(1 << 20) == "1MiB");
    CHECK(size_text(1536) == "1536B");
    CHECK(size_text(0) == "0B");
}

TEST_CASE("addresses are literals, with or without brackets", "[server][config]") {
    CHECK(parse_address("0.0.0.0") == "0.0.0.0");
    CHECK(parse_address("::1") == "::1");
    CHECK(parse_address("[::]") == "::");
    CHECK(parse_address("localhost") == "127.0.0.1");
    for (const char* bad :
         {"", "example.com", "1.2.3", "1.2.3.4.5", "[1.2.3.4]", "[::1", "::1:6001x", "256.0.0.1", "*"}) {
        INFO(bad);
        CHECK_FALSE(parse_address(bad));
    }
    CHECK_FALSE(parse_address(std::string_view("::1\0x", 5)));
}

TEST_CASE("cores are a number or a list of CPUs", "[server][config]") {
    CHECK(parse_cores("1")->cores == 1);
    CHECK(parse_cores("128")->cores == 128);
    CHECK(parse_cores("128")->cpus.empty());
    CHECK(parse_cores("0,2,4")->cpus == std::vector<unsigned>{0, 2, 4});
    CHECK(parse_cores("0,2,4")->cores == 3);
    CHECK(parse_cores("3,")->cpus == std::vector<unsigned>{3});
    CHECK(parse_cores("1023,")->cpus == std::vector<unsigned>{1023});
    for (const char* bad :
         {"", "0", "129", "-1", "a", ",", "1,,2", ",1", "1,2,1", "1024,", "0-3", "1, 2", "99999999999999999999"}) {
        INFO(bad);
        CHECK_FALSE(parse_cores(bad));
    }
    std::string list;
    for (int cpu = 0; cpu < 128; ++cpu) base::append(list, cpu, ',');
    CHECK(parse_cores(list)->cores == 128);
    list += "128";
    CHECK_FALSE(parse_cores(list));
}

TEST_CASE("Unix sockets are absolute paths with octal permissions", "[server][config]") {
    CHECK(parse_socket_path("/run/spillway/s.sock") == "/run/spillway/s.sock");
    CHECK(parse_socket_path("/" + std::string(89, 'a')));
    for (const std::string& bad : {std::string(), std::string("s.sock"), std::string("/run/"), std::string("/a b"),
                                   "/" + std::string(90, 'a'), std::string("/a\0b", 4)}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_socket_path(bad));
    }
    CHECK(parse_mode("0660") == 0660U);
    CHECK(parse_mode("777") == 0777U);
    for (const std::string_view bad : {"", "0680", "1777", "-1", "0x1", "660 "}) CHECK_FALSE(parse_mode(bad));
}

TEST_CASE("paths begin with a slash and do not end with one", "[server][config]") {
    CHECK(parse_path("/live") == "/live");
    CHECK(parse_path("/a/b-c.d") == "/a/b-c.d");
    CHECK(parse_path("") == "");
    CHECK(parse_path("/") == "");
    for (const char* bad : {"live", "/live/", "//", "/a//b", "/a b", "/a?b", "/a#b", "/a%20b", "/\n"}) {
        INFO(bad);
        CHECK_FALSE(parse_path(bad));
    }
}

TEST_CASE("the nearest name is found across slips", "[server][config]") {
    const std::string_view names[] = {"host", "port", "metrics_port", "ping_interval"};
    CHECK(nearest("prot", names) == "port");
    CHECK(nearest("prt", names) == "port");
    CHECK(nearest("pingintervall", names) == "ping_interval");
    CHECK(suggestion("prot", names) == ": did you mean 'port'?");
    CHECK(holds(suggestion("something_else_entirely", names), "nearest known"));
    CHECK(nearest("x", {}) == "");
    CHECK(suggestion("x", {}) == "");
    CHECK_FALSE(suggestion(std::string(100'000, 'p'), names).empty());
}

TEST_CASE("without anything the documented defaults and the development app are in force", "[server][config]") {
    const Config config = loaded({});
    CHECK(config.host == "127.0.0.1");
    CHECK(config.port == 6001);
    CHECK(config.metrics_host == "127.0.0.1");
    CHECK(config.metrics_port == 9601);
    CHECK(config.development_app);
    REQUIRE(config.apps.size() == 1);
    CHECK(config.apps[0].id == "app-id");
    CHECK(config.apps[0].key == "app-key");
    CHECK(config.apps[0].secret == "app-secret");
    CHECK(config.apps[0].client_events);
    CHECK(config.max_clients_derived);
    CHECK(config.queue_messages == 1024);
    CHECK(config.queue_bytes == 1'048'576);
    CHECK(config.read_timeout == 60s);
    CHECK(config.cores == 0);
}

TEST_CASE("a configured app opens the door and turns the development app off", "[server][config]") {
    const Config config = loaded({"--app", "7:key:secret"});
    CHECK(config.host == "0.0.0.0");
    CHECK_FALSE(config.development_app);
    REQUIRE(config.apps.size() == 1);
    CHECK(config.apps[0].id == "7");
    CHECK_FALSE(config.apps[0].client_events);
    CHECK(loaded({"--app", "7:key:secret", "--host", "127.0.0.1"}).host == "127.0.0.1");
    CHECK(loaded({"--host", "0.0.0.0"}).host == "0.0.0.0");
}

TEST_CASE("every flag arrives where it belongs", "[server][config]") {
    const Config c = loaded({"serve",
                             "--host",
                             "::1",
                             "--port=7001",
                             "--metrics-host",
                             "0.0.0.0",
                             "--metrics-port",
                             "0",
                             "--cores",
                             "0,2",
                             "--app",
                             "1:a:x",
                             "--app=2:b:y",
                             "--client-events",
                             "--max-clients",
                             "5000",
                             "--queue-messages",
                             "16",
                             "--queue-bytes",
                             "64KiB",
                             "--overflow",
                             "conflate",
                             "--ping-interval",
                             "1s",
                             "--pong-timeout",
                             "500ms",
                             "--read-timeout",
                             "3",
                             "--write-timeout",
                             "4s",
                             "--handshake-timeout",
                             "2s",
                             "--drain-timeout",
                             "0",
                             "--activity-timeout",
                             "1m",
                             "--max-message",
                             "16MiB",
                             "--max-http-body",
                             "2MB",
                             "--echo",
                             "/echo",
                             "--log-level",
                             "debug",
                             "--log-format",
                             "json",
                             "--socket-send-buffer",
                             "128KiB",
                             "--path-prefix",
                             "/live",
                             "--max-header-bytes",
                             "8KiB",
                             "--max-headers",
                             "50"});
    CHECK(c.host == "::1");
    CHECK(c.port == 7001);
    CHECK(c.metrics_host == "0.0.0.0");
    CHECK(c.metrics_port == 0);
    CHECK(c.cpus == std::vector<unsigned>{0, 2});
    CHECK(c.cores == 2);
    REQUIRE(c.apps.size() == 2);
    CHECK(c.apps[1].key == "b");
    CHECK(c.apps[1].client_events);
    CHECK(c.max_clients == 5000);
    CHECK_FALSE(c.max_clients_derived);
    CHECK(c.queue_messages == 16);
    CHECK(c.queue_bytes == 65'536);
    CHECK(c.overflow == OverflowPolicy::conflate);
    CHECK(c.ping_interval == 1s);
    CHECK(c.pong_timeout == 500ms);
    CHECK(c.read_timeout == 3s);
    CHECK(c.write_timeout == 4s);
    CHECK(c.handshake_timeout == 2s);
    CHECK(c.drain_timeout == 0s);
    CHECK(c.activity_timeout == 60s);
    CHECK(c.max_message == 16 * kMiB);
    CHECK(c.max_http_body == 2'000'000);
    CHECK(c.echo_path == "/echo");
    CHECK(c.log_level == "debug");
    CHECK(c.log_format == LogFormat::json);
    CHECK(c.socket_send_buffer == 128 * kKiB);
    CHECK(c.path_prefix == "/live");
    CHECK(c.max_header_bytes == 8 * kKiB);
    CHECK(c.max_headers == 50);
}

TEST_CASE("every setting of the table is taken as flag, variable and key alike", "[server][config]") {
    for (const Setting& s : server_settings()) {
        for (const std::string& value : samples(s)) {
            INFO(s.name << '=' << value);
            CHECK(load({concat("--", s.name, '=', value)}).run);
            CHECK(load({}, {concat(variable_name(s.name), '=', value)}).run);
            CHECK(refusal(concat("[server]\n", key_name(s.name), " = \"", value, "\"\n")).empty());
        }
        CHECK(holds(help_text(), concat("--", s.name)));
    }
}

TEST_CASE("flags beat the environment, which beats the file, for every setting", "[server][config]") {
    const Folder folder;
    for (const Setting& s : server_settings()) {
        const auto values = samples(s);
        const auto flag = [&](std::size_t i) { return concat("--", s.name, '=', values[i]); };
        const auto variable = [&](std::size_t i) { return concat(variable_name(s.name), '=', values[i]); };
        const auto file = [&](std::size_t i) {
            const std::string text = concat("[server]\n", key_name(s.name), " = \"", values[i], "\"\n");
            return "--config=" + folder.file("f.toml", text);
        };
        INFO(s.name);
        Config by_flag[3];
        for (std::size_t i = 0; i < 3; ++i) {
            by_flag[i] = loaded({flag(i)});
            CHECK(loaded({}, {variable(i)}) == by_flag[i]);
            CHECK(loaded({file(i)}) == by_flag[i]);
        }
        CHECK_FALSE(by_flag[0] == by_flag[1]);
        CHECK_FALSE(by_flag[1] == by_flag[2]);
        CHECK(loaded({flag(1), file(0)}, {variable(0)}) == by_flag[1]);
        CHECK(loaded({flag(2), file(0)}, {variable(1)}) == by_flag[2]);
        CHECK(loaded({file(0)}, {variable(1)}) == by_flag[1]);
        CHECK(loaded({flag(1), file(2)}) == by_flag[1]);
    }
}

TEST_CASE("manual and completion know every flag and command, and write them as their readers want",
          "[server][config]") {
    const std::string page = load({"manual"}).text;
    const std::string bash = load({"completion", "bash"}).text;
    const std::string zsh = load({"completion", "zsh"}).text;
    const auto dashed = [](std::string_view text) {
        std::string out;
        for (const char c : text) out += c == '-' ? std::string("\\-") : std::string(1, c);
        return out;
    };
    for (const Setting& s : server_settings()) {
        CAPTURE(s.name);
        CHECK(holds(page, concat(".B \\-\\-", dashed(s.name))));
        CHECK(holds(bash, concat("--", s.name, " ")));
        CHECK(holds(zsh, concat("'--", s.name)));
    }
    for (const CommandEntry& command : commands()) {
        CAPTURE(command.name);
        CHECK(holds(page, concat(".B ", dashed(command.name))));
        CHECK(holds(bash, concat(command.name, " ")));
        CHECK(holds(help_text(), command.name));
    }
    for (const CommandFlag& flag : command_flags()) {
        CAPTURE(flag.name);
        CHECK(holds(page, concat(".B ", flag.command, " \\-\\-", flag.name)));
        CHECK(holds(bash, concat("--", flag.name, " ")));
        CHECK(holds(zsh, concat("'--", flag.name)));
        CHECK(holds(help_text(), concat("--", flag.name)));
    }
    CHECK(load({"completion", "fish"}).exit_code == 2);
    CHECK(load({"completion"}).exit_code == 2);
    for (const auto operand : {"POLICY", "LEVEL", "FORMAT", "NAME"}) {  // what completion offers is what is taken
        for (const Setting& s : server_settings()) {
            if (s.operand != operand) continue;
            const std::string list = bash.substr(bash.find(concat("--", s.name, ") COMPREPLY=($(compgen -W '")));
            const std::string words = list.substr(list.find('\'') + 1);
            std::string word;
            for (const char c : words.substr(0, words.find('\'')) + " ") {
                if (c != ' ') {
                    word += c;
                    continue;
                }
                CHECK(load({concat("--", s.name, '=', word)}).run);
                word.clear();
            }
        }
    }
}

TEST_CASE("profiles stand in for defaults, and each of their values can be overridden from anywhere",
          "[server][config]") {
    const Folder folder;
    for (const Profile& profile : profiles()) {
        const Config plain = loaded({concat("--profile=", profile.name)});
        CHECK(plain.profile == profile.name);
        CHECK_FALSE(plain == loaded({}));
        CHECK(loaded({}, {concat("SPILLWAY_PROFILE=", profile.name)}) == plain);
        CHECK(loaded({"--config", folder.file("p.toml", concat("[server]\nprofile = '", profile.name, "'\n"))}) ==
              plain);
        CHECK(holds(profiles_text(), profile.name));
        std::vector<std::string> flags;
        for (const Profile::Value& value : profile.values) {
            INFO(profile.name << ' ' << value.setting);
            const Setting* setting = find_setting(value.setting);
            REQUIRE(setting != nullptr);
            flags.push_back(concat("--", value.setting, '=', value.text));
            CHECK(holds(profiles_text(), concat("--", value.setting, '=', value.text)));
            const std::string other = samples(*setting)[0] == value.text ? samples(*setting)[1] : samples(*setting)[0];
            // The weakest of the others, and it wins all the same.
            const std::string file =
                folder.file("o.toml", concat("[server]\n", key_name(value.setting), " = \"", other, "\"\n"));
            const Config overridden = loaded({concat("--profile=", profile.name), "--config", file});
            CHECK_FALSE(overridden == plain);
            CHECK(overridden == loaded({concat("--profile=", profile.name), concat("--", value.setting, '=', other)}));
        }
        Config by_hand = loaded(flags);
        by_hand.profile = profile.name;
        CHECK(by_hand == plain);
    }
    CHECK(holds(load({"--profile=latancy"}).text, "did you mean 'latency'"));
    const LoadOutcome told = load({"profiles"});
    CHECK(told.exit_code == 0);
    CHECK(told.text == profiles_text());
}

TEST_CASE("a flag beats the environment, which beats the file", "[server][config]") {
    const Folder folder;
    const std::string file =
        folder.file("s.toml", concat("[server]\nport = 1\nmetrics_port = 2\nmax_message = 1000\n", kApp));
    const std::vector<std::string> environment = {"SPILLWAY_PORT=10", "SPILLWAY_METRICS_PORT=20", "PORT=99"};
    const Config c = loaded({"--config", file, "--port", "100"}, environment);
    CHECK(c.port == 100);
    CHECK(c.metrics_port == 20);
    CHECK(c.max_message == 1000);
    CHECK(c.apps[0].id == "1");
    CHECK(loaded({}, {"SPILLWAY_CONFIG=" + file}).port == 1);
    CHECK(loaded({"--config", file}, {"SPILLWAY_CONFIG=/does/not/exist"}).port == 1);
}

TEST_CASE("apps of a stronger source replace those of a weaker", "[server][config]") {
    const Folder folder;
    const std::string file = folder.file("s.toml", kApp);
    CHECK(loaded({"--config", file}).apps[0].id == "1");
    const Config by_environment = loaded({"--config", file}, {"SPILLWAY_APP= 2:b:x\t3:c:y "});
    REQUIRE(by_environment.apps.size() == 2);
    CHECK(by_environment.apps[1].id == "3");
    const Config by_flag = loaded({"--config", file, "--app", "4:d:z"}, {"SPILLWAY_APP=2:b:x"});
    REQUIRE(by_flag.apps.size() == 1);
    CHECK(by_flag.apps[0].id == "4");
}

TEST_CASE("a flag given twice counts as last given", "[server][config]") {
    CHECK(loaded({"--port", "1", "--port", "2"}).port == 2);
}

TEST_CASE("flags may stand on either side of the command", "[server][config]") {
    CHECK(loaded({"--port", "1", "serve"}).port == 1);
    CHECK(loaded({"serve", "--port", "1"}).port == 1);
    CHECK(loaded({"--app", "1:a:x", "serve"}).apps[0].id == "1");
}

TEST_CASE("client events are on where said, by flag for all apps that do not say", "[server][config]") {
    CHECK_FALSE(loaded({"--client-events=false"}).apps[0].client_events);
    CHECK(loaded({"--client-events", "--app", "1:a:x"}).apps[0].client_events);
    const std::string two = concat("[server]\nclient_events = true\n", kApp,
                                   "[[app]]\nid='2'\nkey='l'\nsecret='t'\nclient_events = false\n");
    const Config c = accepted(two);
    CHECK(c.apps[0].client_events);
    CHECK_FALSE(c.apps[1].client_events);
}

TEST_CASE("an unknown flag is refused with the nearest known one", "[server][config]") {
    const auto reason = [](std::vector<std::string> arguments) {
        const LoadOutcome outcome = load(std::move(arguments));
        CHECK_FALSE(outcome.run);
        CHECK(outcome.exit_code == 2);
        return outcome.text;
    };
    CHECK(holds(reason({"--prot", "6001"}), "unknown flag '--prot': did you mean '--port'?"));
    CHECK(holds(reason({"--prot=6001"}), "'--prot': did you mean '--port'?"));
    CHECK(holds(reason({"serve", "--max-client", "1"}), "'--max-clients'"));
    CHECK(holds(reason({"--ap", "x"}), "'--app'"));
    CHECK(holds(reason({"--take-ovr"}), "did you mean '--take-over'"));
    CHECK(holds(reason({"docter"}), "did you mean 'doctor'"));
    CHECK(holds(reason({"publish", "--stin"}), "did you mean '--stdin'"));
    CHECK(holds(reason({"tail"}), "tail needs a channel"));
    CHECK(holds(reason({"tail", "a", "--count", "x"}), "--count: "));
    CHECK(holds(reason({"tail", "a", "--feed", "--event", "e"}), "--event"));
    CHECK(holds(reason({"tail", "a", "--url", "wss://x"}), "no TLS"));
    CHECK(holds(reason({"tail", "a", "--url", "ws://x:0"}), "a port is"));
    CHECK(holds(reason({"publish", "a"}), "publish needs CHANNEL and EVENT"));
    CHECK(holds(reason({"publish", "a", "e"}), "--stdin"));
    CHECK(holds(reason({"publish", "a", "e", "x", "--stdin"}), "--stdin"));
    CHECK(holds(reason({"publish", "a", "e", "--stdin", "--json"}), "--json"));
    CHECK(holds(reason({"publish", "a", "e", "x", "--key", "other"}), "no app with this key"));
    CHECK(holds(reason({"sevre"}), "unknown command 'sevre': did you mean 'serve'?"));
    CHECK(holds(reason({"serve", "again"}), "unknown command 'again'"));
    CHECK(holds(reason({"--port"}), "--port: a value must follow"));
    CHECK(holds(reason({"--app"}), "--app: a value must follow"));
    CHECK(holds(reason({"--port", "70000"}), "--port: '70000' is not a port"));
    CHECK(holds(reason({"--port", "65536"}), "is not a port"));
    CHECK(holds(reason({"--port", ""}), "is not a port"));
    CHECK(holds(reason({"--port", "-1"}), "port"));
    CHECK(holds(reason({"--overflow", "drop"}), "drop-newest"));
    CHECK(holds(reason({"--ping-interval", "0"}), "too short"));
    CHECK(holds(reason({"--activity-timeout", "1500ms"}), "whole seconds"));
    CHECK(holds(reason({"--echo", "/app/x"}), "is taken"));
    CHECK(holds(reason({"--log-level", "loud"}), "is not a level"));
    CHECK(holds(reason({"--client-events=maybe"}), "neither true nor false"));
    CHECK(loaded({"--port", "65535"}).port == 65535);
}

TEST_CASE("help and version go to standard output and end well", "[server][config]") {
    for (const char* flag : {"--help", "-h"}) {
        const LoadOutcome outcome = load({flag});
        CHECK_FALSE(outcome.run);
        CHECK(outcome.exit_code == 0);
        CHECK(holds(outcome.text, "--ping-interval TIME"));
    }
    CHECK(load({"serve", "--help"}).text == load({"--help"}).text);
    for (const CommandEntry& command : commands()) {
        if (command.command == Command::serve) continue;
        const std::string text = load({std::string(command.name), "--help"}).text;
        CHECK(text.starts_with(concat("Usage: spillway ", command.name)));
        CHECK(holds(text, command.meaning));
        CHECK_FALSE(holds(text, "--ping-interval"));
        for (const CommandFlag& flag : command_flags())
            if (flag.command == command.name) CHECK(holds(text, flag.meaning));
        CHECK(holds(text, "--stdin") == (command.command == Command::publish));
    }
    const LoadOutcome version = load({"--version"});
    CHECK(version.exit_code == 0);
    CHECK(version.text.starts_with("spillway "));
    CHECK(version.text.ends_with(")\n"));
}

TEST_CASE("an app on the command line has exactly three parts, and its secret is never repeated", "[server][config]") {
    for (const char* bad :
         {"", "x", "a:b", "a:b:", ":b:c", "a::c", "a:b:hush:d", "a/b:k:hush", "a b:k:hush", "a:k?:hush"}) {
        INFO(bad);
        const LoadOutcome outcome = load({concat("--app=", bad)});
        CHECK_FALSE(outcome.run);
        CHECK(outcome.exit_code == 2);
        CHECK_FALSE(holds(outcome.text, "hush"));
    }
    CHECK(loaded({"--app", concat(std::string(128, 'i'), ":k:s")}).apps[0].id.size() == 128);
    CHECK_FALSE(load({"--app", concat(std::string(129, 'i'), ":k:s")}).run);
}

TEST_CASE("secrets on the command line are overwritten in place", "[server][config][secrets]") {
    const auto hidden = [](std::vector<std::string> words) {
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        CHECK(hide_secrets(static_cast<int>(argv.size()), argv.data()));
        std::string joined;
        for (const std::string& word : words) joined += word + ' ';
        return joined;
    };
    CHECK(hidden({"spillway", "--app", "i:k:hush", "--port", "1"}) == "spillway --app i:k:**** --port 1 ");
    CHECK(hidden({"spillway", "--app=i:k:hush", "--app", "j:l:shh"}) == "spillway --app=i:k:**** --app j:l:*** ");
    CHECK(hidden({"spillway", "--app", "i:hush"}) == "spillway --app i:**** ");
    CHECK(hidden({"spillway", "--app", "hush"}) == "spillway --app **** ");
    CHECK(hidden({"spillway", "--app=hush"}) == "spillway --app=**** ");
    CHECK(hidden({"spillway", "--app", "i:k:a:b"}) == "spillway --app i:k:*** ");
    CHECK(hidden({"spillway", "--dashboard-token", "abc", "--dashboard-token=abc"}) ==
          "spillway --dashboard-token *** --dashboard-token=*** ");
    std::string port[] = {"spillway", "--port", "1"};
    char* argv[] = {port[0].data(), port[1].data(), port[2].data()};
    CHECK_FALSE(hide_secrets(3, argv));
    CHECK(port[2] == "1");
}

TEST_CASE("secrets of the environment are overwritten in place, and taken all the same", "[server][config][secrets]") {
    std::string given[] = {"PATH=/bin", "SPILLWAY_APP=i:k:hush", "SPILLWAY_DASHBOARD_TOKEN=0123456789abcdef",
                           "SPILLWAY_PORT=1", "SPILLWAY_APP"};
    char* environment[] = {given[0].data(), given[1].data(), given[2].data(),
                           given[3].data(), given[4].data(), nullptr};
    CHECK(take_variables(environment) == std::vector<std::string>{"SPILLWAY_APP=i:k:hush",
                                                                  "SPILLWAY_DASHBOARD_TOKEN=0123456789abcdef",
                                                                  "SPILLWAY_PORT=1"});
    CHECK(given[1] == "SPILLWAY_APP=********");
    CHECK(given[2] == "SPILLWAY_DASHBOARD_TOKEN=****************");
    CHECK(given[3] == "SPILLWAY_PORT=1");
    CHECK(take_variables(nullptr).empty());
}

TEST_CASE("two apps may share neither id nor key", "[server][config]") {
    CHECK(holds(load({"--app", "1:a:x", "--app", "1:b:y"}).text, "app id '1' is taken"));
    CHECK(holds(load({"--app", "1:a:x", "--app", "2:a:y"}).text, "app key 'a' is taken"));
    CHECK(load({"--app", "1:a:x", "--app", "a:1:x"}).run);
    const std::string reason = refusal(concat(kApp, "\n", "[[app]]\nid = \"1\"\nkey = \"other\"\nsecret = \"s\"\n"));
    CHECK(reason == "f:6: the app id '1' is taken by f:1");
}

TEST_CASE("an empty file means the development app", "[server][config]") {
    const Folder folder;
    for (const char* text : {"", "\n\n", "# only a remark\n", "[server]\n"}) {
        const Config c = loaded({"--config", folder.file("s.toml", text)});
        CHECK(c.development_app);
        CHECK(c.host == "127.0.0.1");
    }
}

TEST_CASE("every key of an app arrives", "[server][config]") {
    const Folder folder;
    folder.file("secret", "hush\nnot this\n");
    const std::string file = folder.file("s.toml", R"([[app]]
id = "id"
key = "key"
secret_file = "secret"
secret_previous = "old"
enabled = false
client_events = true
max_clients = 10
max_channels_per_client = 11
max_event_bytes = "20KiB"
max_channel_name = 100
max_event_name = 50
max_channels_per_event = 20
max_batch = 5
client_events_per_second = 3
publishes_per_second = 500
allowed_origins = ["https://*.example.com", "localhost"]
strict_protocol = true
overflow = "drop-oldest"
)");
    const AppConfig a = loaded({"--config", file}).apps.at(0);
    CHECK(a.secret == "hush");
    CHECK(a.secret_previous == "old");
    CHECK_FALSE(a.enabled);
    CHECK(a.client_events);
    CHECK(a.max_clients == 10);
    CHECK(a.max_channels_per_client == 11);
    CHECK(a.max_event_bytes == 20'480);
    CHECK(a.max_channel_name == 100);
    CHECK(a.max_event_name == 50);
    CHECK(a.max_channels_per_event == 20);
    CHECK(a.max_batch == 5);
    CHECK(a.client_events_per_second == 3);
    CHECK(a.publishes_per_second == 500);
    CHECK(a.allowed_origins == std::vector<std::string>{"https://*.example.com", "localhost"});
    CHECK(a.strict_protocol);
    CHECK(a.has_overflow);
    CHECK(a.overflow == OverflowPolicy::drop_oldest);
}

TEST_CASE("values of a file may be numbers, words and lists", "[server][config]") {
    const Config c = accepted(
        "[server]\nping_interval = 0.5\npong_timeout = 2\ncores = [0, 2]\nqueue_bytes = 4096\n"
        "overflow = \"drop_oldest\"\n");
    CHECK(c.ping_interval == 500ms);
    CHECK(c.pong_timeout == 2s);
    CHECK(c.cpus == std::vector<unsigned>{0, 2});
    CHECK(c.queue_bytes == 4096);
    CHECK(accepted("[server]\ncores = [3]\n").cpus == std::vector<unsigned>{3});
    CHECK(accepted("[server]\ncores = 3\n").cores == 3);
    CHECK(accepted("[server]\ncores = 3\n").cpus.empty());
    CHECK(accepted("server = { port = 5 }\n").port == 5);
    CHECK(accepted(concat(kApp, "allowed_origins = []\n")).apps[0].allowed_origins.empty());
}

TEST_CASE("a refused file is named with its line and the reason", "[server][config]") {
    CHECK(refusal("[server]\nport = 1\nprot = 2\n") == "f:3: unknown key 'prot' in [server]: did you mean 'port'?");
    CHECK(refusal("[server]\nping-interval = 2\n") ==
          "f:2: unknown key 'ping-interval' in [server]: did you mean 'ping_interval'?");
    CHECK(refusal("\n[servr]\nport = 1\n").starts_with("f:2: unknown key 'servr'"));
    CHECK(refusal("port = 1\n") == "f:1: 'port' belongs under [server]");
    CHECK(refusal("[server]\nport = 70000\n") == "f:2: port: '70000' is not a port: 0 to 65535, 0 for any free one");
    CHECK(refusal("[server]\nport = -1\n").starts_with("f:2: port: '-1'"));
    CHECK(refusal("[server]\nport = 1\nport = 2\n").starts_with("f:3: "));
    CHECK(refusal("[server]\nport = \n").starts_with("f:2: "));
    CHECK(refusal("[server\n").starts_with("f:1: "));
    CHECK(refusal("[server]\nhost = 2020-01-01\n") == "f:2: host has a value of the wrong kind");
    CHECK(refusal("[server]\nping_interval = inf\n") == "f:2: ping_interval has a value of the wrong kind");
    CHECK(refusal("[server]\nport = [1, [2]]\n").starts_with("f:2: "));
    CHECK(refusal("[server.port]\nx = 1\n").starts_with("f:1: port has a value"));
    CHECK(refusal("server = 1\n").starts_with("f:1: server is written"));
    CHECK(refusal("[server]\ntake_over = 3\n").starts_with("f:2: take_over: '3'"));
    CHECK(refusal("[server]\ntrusted_proxies = [\"10.0.0.1/8\"]\n")
              .starts_with("f:2: trusted_proxies: '10.0.0.1/8' is not a network"));
    CHECK(refusal("[app]\nid = \"1\"\n") == "f:1: apps are written as [[app]], with two brackets");
    CHECK(refusal("app = [1]\n").starts_with("f:1: apps are written"));
    CHECK(refusal(concat(kApp, "max_client = 1\n")) ==
          "f:5: unknown key 'max_client' in [[app]]: did you mean 'max_clients'?");
    CHECK(refusal(concat(kApp, "enabled = \"yes\"\n")) == "f:5: enabled: 'yes' is neither true nor false");
    CHECK(refusal(concat(kApp, "allowed_origins = [\"a b\"]\n")).starts_with("f:5: allowed_origins"));
    CHECK(refusal("[[app]]\nid = \"1\"\nkey = \"k\"\n") == "f:1: an app needs 'secret' or 'secret_file'");
    CHECK(refusal("\n[[app]]\nkey = \"k\"\nsecret = \"s\"\n") == "f:2: an app needs 'id'");
    CHECK(refusal("[[app]]\nid = \"1\"\nkey = \"\"\nsecret = \"s\"\n") == "f:1: an app needs 'key'");
    CHECK(refusal("[[app]]\nid = \"a/b\"\nkey = \"k\"\nsecret = \"s\"\n").starts_with("f:1: the id 'a/b' holds '/'"));
}

TEST_CASE("webhooks are read from the file with all their keys", "[server][config][webhooks]") {
    const Folder folder;
    const std::string path = folder.file("f.toml", concat(kApp, R"(
[[app.webhook]]
url = "https://user:pass@hooks.example.com/in?token=1,2"
events = ["channel_vacated", "client_event"]
channel_prefix = "private-"
batch = true
timeout = "2s"
allow_private_network = true
queue_events = 50
headers = { X-Env = "prod", Authorization = "Bearer 1" }
[[app.webhook]]
url = "http://10.0.0.1/"
)"));
    const Config config = loaded({"--config", path});
    REQUIRE(config.apps.size() == 1);
    REQUIRE(config.apps[0].webhooks.size() == 2);
    const WebhookConfig& first = config.apps[0].webhooks[0];
    CHECK(first.url == "https://user:pass@hooks.example.com/in?token=1,2");
    CHECK(first.events.has(WebhookEvent::channel_vacated));
    CHECK(first.events.has(WebhookEvent::client_event));
    CHECK_FALSE(first.events.has(WebhookEvent::channel_occupied));
    CHECK(first.channel_prefix == "private-");
    CHECK(first.batch);
    CHECK(first.timeout == 2s);
    CHECK(first.allow_private_network);
    CHECK(first.queue_events == 50);
    CHECK(first.headers == std::vector<std::string>{"Authorization: Bearer 1", "X-Env: prod"});
    const WebhookConfig& second = config.apps[0].webhooks[1];
    CHECK(second.events == WebhookEvents::all());
    CHECK_FALSE(second.batch);
    CHECK_FALSE(second.allow_private_network);
    CHECK(second.timeout == 10s);
    CHECK(config.apps[0].webhook_events == WebhookEvents::all());
}

TEST_CASE("a core needs to see both halves of what waits for a return, and nothing for apps without webhooks",
          "[server][config][webhooks]") {
    const Folder folder;
    const std::string hook = "[[app.webhook]]\nurl = \"http://x\"\nevents = [\"channel_vacated\"]\n";
    const Config with = loaded({"--config", folder.file("a.toml", concat(kApp, hook))});
    CHECK(with.apps[0].webhook_events.has(WebhookEvent::channel_occupied));
    CHECK(with.apps[0].webhook_events.has(WebhookEvent::channel_vacated));
    CHECK_FALSE(with.apps[0].webhook_events.has(WebhookEvent::client_event));
    CHECK(loaded({"--config", folder.file("b.toml", kApp)}).apps[0].webhook_events.empty());
}

TEST_CASE("mistakes in webhooks are told with line and reason, and without a secret", "[server][config][webhooks]") {
    const auto hook = [](std::string_view keys) { return refusal(concat(kApp, "[[app.webhook]]\n", keys)); };
    CHECK(hook("batch = true\n") == "f:5: a webhook needs 'url'");
    CHECK(hook("url = \"http://x\"\nevent = []\n") ==
          "f:7: unknown key 'event' in [[app.webhook]]: did you mean 'events'?");
    CHECK(hook("url = \"http://x\"\nevents = [\"channel_vacate\"]\n") ==
          "f:7: events: 'channel_vacate' is not an event: did you mean 'channel_vacated'?");
    CHECK(hook("url = \"http://u:secret@/\"\n") == "f:6: url: the URL names no host");
    CHECK(hook("url = \"gopher://x\"\n").starts_with("f:6: url: the URL must begin with"));
    CHECK(hook("url = 7\n").starts_with("f:6: url: "));
    CHECK(hook("url = \"http://x\"\nchannel_prefix = \"a b\"\n").starts_with("f:7: channel_prefix: "));
    CHECK(hook("url = \"http://x\"\ntimeout = \"1ms\"\n").starts_with("f:7: timeout: '1ms' is too short"));
    CHECK(hook("url = \"http://x\"\ntimeout = \"61s\"\n").starts_with("f:7: timeout: '61s' is too long"));
    CHECK(hook("url = \"http://x\"\nqueue_events = 0\n").starts_with("f:7: queue_events: '0' is out of range"));
    CHECK(hook("url = \"http://x\"\nheaders = [\"A: b\"]\n").starts_with("f:7: headers are written as"));
    CHECK(hook("url = \"http://x\"\nheaders = { Content-Type = \"x\" }\n") ==
          "f:7: the header 'Content-Type' is set by the server itself");
    CHECK(
        hook("url = \"http://x\"\nheaders = { A = \"b\\r\\nC: d\" }\n").starts_with("f:7: the header 'A' has a value"));
    CHECK(refusal(concat(kApp, "[app.webhook]\nurl = \"http://x\"\n")).find("two brackets") != std::string::npos);
    CHECK(refusal(concat(kApp, "webhook = [1]\n")).starts_with("f:5: webhooks are written"));
    CHECK(refusal(concat(kApp, "webhok = []\n")) == "f:5: unknown key 'webhok' in [[app]]: did you mean 'webhook'?");
    std::string many(kApp);
    for (int i = 0; i < 17; ++i) many += "[[app.webhook]]\nurl = \"http://x\"\n";
    CHECK(refusal(many).find("at most 16 webhooks") != std::string::npos);
}

TEST_CASE("limits of an app hold at their ends", "[server][config]") {
    CHECK(accepted(concat(kApp, "max_channel_name = 200\nmax_batch = 10\n")).apps[0].max_channel_name == 200);
    CHECK(
        refusal(concat(kApp, "max_channel_name = 201\n")).starts_with("f:5: max_channel_name: '201' is out of range"));
    CHECK(refusal(concat(kApp, "max_channel_name = 0\n")).starts_with("f:5:"));
    CHECK(refusal(concat(kApp, "max_batch = 11\n")).starts_with("f:5:"));
    CHECK(accepted("[server]\nqueue_messages = 1\n").queue_messages == 1);
    CHECK(refusal("[server]\nqueue_messages = 0\n").starts_with("f:2:"));
    CHECK(refusal("[server]\nqueue_bytes = 1023\n").starts_with("f:2:"));
    CHECK(accepted("[server]\nmax_header_bytes = \"256KiB\"\n").max_header_bytes == kHeaderBytesMax);
    CHECK(refusal("[server]\nmax_header_bytes = \"257KiB\"\n").starts_with("f:2:"));
    CHECK(accepted("[server]\nmax_clients = 0\n").max_clients_derived == false);
}

TEST_CASE("a secret file is refused with the reason", "[server][config]") {
    const Folder folder;
    const auto with = [&](std::string_view line) {
        const std::string file = folder.file("s.toml", concat("[[app]]\nid=\"1\"\nkey=\"k\"\n", line));
        return load({"--config", file}).text;
    };
    CHECK(holds(with("secret_file=\"absent\"\n"), "s.toml:1: secret_file: "));
    CHECK(holds(with("secret_file=\"absent\"\n"), "cannot be opened"));
    folder.file("empty", "\nx\n");
    CHECK(holds(with("secret_file=\"empty\"\n"), "holds no secret"));
    folder.file("huge", std::string(4097, 'x'));
    CHECK(holds(with("secret_file=\"huge\"\n"), "is larger than 4KiB"));
    folder.file("full", std::string(4096, 'x'));
    CHECK(with("secret_file=\"full\"\n").empty());
    CHECK(holds(with("secret_file=\"full\"\nsecret=\"s\"\n"), "not both"));
    CHECK(holds(with("secret_file=\".\"\n"), "cannot be"));
}

TEST_CASE("the read timeout is raised to ping interval and pong timeout, and that is said", "[server][config]") {
    const LoadOutcome raised = load({"--ping-interval", "2m", "--pong-timeout", "10s"});
    REQUIRE(raised.run);
    CHECK(raised.config.read_timeout == 130s);
    REQUIRE(raised.notices.size() == 1);
    CHECK(holds(raised.notices[0], "read-timeout is raised from 60000ms to 130000ms"));
    const LoadOutcome exact = load({"--ping-interval", "50s", "--pong-timeout", "10s"});
    CHECK(exact.config.read_timeout == 60s);
    CHECK(exact.notices.empty());
    CHECK(loaded({"--read-timeout", "1s"}).read_timeout == 40s);
}

TEST_CASE("the two ports must differ where their addresses meet", "[server][config]") {
    CHECK(holds(load({"--port", "9601"}).text, "port and metrics-port are both 9601"));
    CHECK_FALSE(load({"--port", "9601", "--host", "0.0.0.0"}).run);
    CHECK(load({"--port", "9601", "--host", "127.0.0.2"}).run);
    CHECK(load({"--port", "0", "--metrics-port", "0"}).run);
}

TEST_CASE("what the parser shows of a file is one printable line, and no number that may be a secret",
          "[server][config]") {
    CHECK(refusal("[[app]]\nclient_events = t\nid = 1\n") ==
          "f:2: Error while parsing boolean: expected 'true', saw 't\\x0a'");
    CHECK(refusal("a = tr\x1b[2J") == "f:1: Error while parsing boolean: expected 'true', saw 'tr\\x1b'");
    for (const std::string_view number : {"86120517395012345678901", "0xFFFFFFFFFFFFFFFFF", "1e99999"}) {
        const std::string told = refusal(concat("[[app]]\nsecret = ", number, "\n"));
        CHECK(holds(told, "f:2: "));
        CHECK(holds(told, ": the value "));
        CHECK_FALSE(holds(told, number));
    }
}

TEST_CASE("a limit that cannot be reached is pointed out", "[server][config]") {
    ConfigDraft draft;
    REQUIRE(read_config_text(concat(kApp, "max_event_bytes = \"2MiB\"\n"), "f", draft));
    const auto checked = finish(std::move(draft));
    REQUIRE(checked);
    REQUIRE(checked->notices.size() == 1);
    CHECK(holds(checked->notices[0], "f:1: max_event_bytes of 2MiB cannot be reached"));
}

TEST_CASE("variables that are unknown or Kubernetes service links are passed over with a word", "[server][config]") {
    const LoadOutcome outcome =
        load({}, {"SPILLWAY_PROT=1", "SPILLWAY_PORT=tcp://10.0.0.1:6001", "SPILLWAY_SERVICE_HOST=10.0.0.1",
                  "SPILLWAY_PORT_6001_TCP_ADDR=10.0.0.1", "SPILLWAY_ECHO=", "HOME=/"});
    REQUIRE(outcome.run);
    CHECK(outcome.config.port == 6001);
    REQUIRE(outcome.notices.size() == 2);
    CHECK(holds(outcome.notices[0], "did you mean 'SPILLWAY_PORT'?"));
    CHECK(holds(outcome.notices[1], "Kubernetes"));
    const LoadOutcome bad = load({}, {"SPILLWAY_PORT=x"});
    CHECK(bad.exit_code == 1);
    CHECK(holds(bad.text, "SPILLWAY_PORT: 'x' is not a port"));
}

TEST_CASE("every fault of a file is told at once, in the order of its lines", "[server][config]") {
    CHECK(refusal("[[app]]\nid = \"a\"\nkee = \"k\"\nsecret = \"s\"\n[[app.webhook]]\ntimeout = \"ever\"\nevent = "
                  "1\n[server]\n"
                  "prot = 1\nping_interval = \"soon\"\n") ==
          "f:3: unknown key 'kee' in [[app]]: did you mean 'key'?\n"
          "f:6: timeout: 'ever' is not a duration: write 30s, 500ms, 2m, 1h, or a number of seconds\n"
          "f:7: unknown key 'event' in [[app.webhook]]: did you mean 'events'?\n"
          "f:9: unknown key 'prot' in [server]: did you mean 'port'?\n"
          "f:10: ping_interval: 'soon' is not a duration: write 30s, 500ms, 2m, 1h, or a number of seconds");
    std::string many = "[server]\n";
    for (int i = 0; i < 25; ++i) base::append(many, "unheard_", i, " = 1\n");
    const std::string told = refusal(many);
    CHECK(std::ranges::count(told, '\n') == 20);
    CHECK(told.ends_with("\nf: and 5 more"));
}

TEST_CASE("check-config says OK or where it is wrong", "[server][config]") {
    const Folder folder;
    const std::string good = folder.file("good.toml", kApp);
    CHECK(load({"check-config", good}).text == "OK: 1 app, port 6001\n");
    CHECK(load({"check-config", good}).exit_code == 0);
    CHECK(load({"check-config", "--config", good}).exit_code == 0);
    CHECK(load({"--config", good, "check-config"}).exit_code == 0);
    CHECK(holds(load({"check-config", folder.file("empty.toml", "")}).text,
                "OK: 0 apps (the development app stands in)"));
    const std::string bad = folder.file("bad.toml", "[server]\nprot = 1\n");
    const LoadOutcome refused = load({"check-config", bad}, {"SPILLWAY_PORT=x"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.text == bad + ":2: unknown key 'prot' in [server]: did you mean 'port'?\n");
    const std::string clash = folder.file("clash.toml", "[server]\nport = 9601\n");
    CHECK(load({"check-config", clash}).text == clash + ": port and metrics-port are both 9601: they must differ\n");
    const std::string absent = good + "-absent";
    CHECK(holds(load({"check-config", absent}).text, "cannot be opened: No such file"));
    CHECK(load({"check-config", absent}).exit_code == 1);
    CHECK(load({"check-config"}).exit_code == 2);
    CHECK_FALSE(load({"check-config", good}).run);
    CHECK(load({"--config", bad}).exit_code == 1);
    CHECK(load({"--config", bad}).text == refused.text);
    CHECK(load({"--config", std::filesystem::path(good).parent_path().string()}).exit_code == 1);
}

TEST_CASE("whatever stands in a file, reading it ends with a value or a reason", "[server][config]") {
    const std::string seed = concat("[server]\nport = 1\ncores = [0, 1]\nping_interval = \"1.5s\"\n", kApp,
                                    "allowed_origins = [\"https://*.x\"]\nmax_event_bytes = \"1KiB\"\n");
    std::mt19937 random(4711);
    for (int round = 0; round < 3'000; ++round) {
        std::string text = seed;
        for (unsigned change = 0; change < 1 + random() % 4; ++change) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = static_cast<char>(random()); break;
                case 1: text.erase(at, 1 + random() % 5); break;
                default: text.insert(at, 1, "\"[]=\n.,0{}'\\#"[random() % 13]);
            }
            if (text.empty()) break;
        }
        ConfigDraft draft;
        const auto read = read_config_text(text, "f", draft);
        if (!read) {
            REQUIRE(read.error().starts_with("f"));
        } else if (const auto checked = finish(std::move(draft)); !checked) {
            REQUIRE_FALSE(checked.error().empty());
        } else {
            REQUIRE_FALSE(checked->config.apps.empty());
        }
    }
}
