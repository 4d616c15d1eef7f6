// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace spillway::base;
using std::chrono::seconds;

namespace {

/// Runs `logging` between init and shutdown with standard error going to a temporary file; returns what was written.
template <class F>
std::string logged(log::Level level, log::Format format, F&& logging) {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::fflush(stderr);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(::fileno(file), STDERR_FILENO);
    log::init(level, format);
    logging();
    log::shutdown();
    std::fflush(stderr);
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    std::string text;
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
    std::fclose(file);
    return text;
}

}  // namespace

TEST_CASE("bytes of a peer are escaped and cut", "[base][log]") {
    CHECK(log::escaped("plain text, 'quotes' \"too\"") == "plain text, 'quotes' \"too\"");
    CHECK(log::escaped(std::string_view("a\0b\n\x1b[31m\xFF\\", 11)) == "a\\x00b\\x0a\\x1b[31m\\xff\\x5c");
    CHECK(log::escaped(std::string(256, 'x')) == std::string(256, 'x'));
    CHECK(log::escaped(std::string(257, 'x')) == std::string(256, 'x') + "...");
    CHECK(log::escaped("abcdef", 3) == "abc...");
}

TEST_CASE("any bytes become a valid JSON string", "[base][log]") {
    std::string out;
    log::append_json_escaped(out, std::string_view("say \"hi\"\\\n\x7f\xc3", 12));
    CHECK(out == "say \\\"hi\\\"\\\\\\u000a\\u007f\\u00c3");
}

TEST_CASE("levels are known by name", "[base][log]") {
    CHECK(log::level_named("warn") == log::Level::warn);
    CHECK(log::level_named("off") == log::Level::off);
    CHECK_FALSE(log::level_named("WARN"));
    CHECK_FALSE(log::level_named(""));
}

TEST_CASE("a log that nobody reads forgets its oldest lines, and its end comes all the same", "[base][log]") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    const std::uint64_t unwritten = log::lost().unwritten;
    log::init(log::Level::info, log::Format::text);
    const std::string line(200, 'x');
    for (int i = 0; i < 20'000; ++i) log::info(line);
    CHECK(log::lost().overrun > 0);
    log::shutdown();
    ::dup2(saved, STDERR_FILENO);
    for (const int fd : {saved, ends[0], ends[1]}) ::close(fd);
    CHECK(log::lost().unwritten > unwritten);
}

TEST_CASE("lines that a full disk does not take are counted", "[base][log]") {
    const int full = ::open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    const int saved = ::dup(STDERR_FILENO);
    ::dup2(full, STDERR_FILENO);
    const std::uint64_t unwritten = log::lost().unwritten;
    log::init(log::Level::info, log::Format::json);
    for (int i = 0; i < 10; ++i) log::info("lost");
    log::shutdown();
    ::dup2(saved, STDERR_FILENO);
    for (const int fd : {saved, full}) ::close(fd);
    CHECK(log::lost().unwritten == unwritten + 10);
}

TEST_CASE("a throttle passes one line per interval and tells how many it swallowed", "[base][log]") {
    log::Throttle throttle(seconds{10});
    const Instant start{seconds{100}};
    CHECK(throttle.admit(start) == 0);
    CHECK_FALSE(throttle.admit(start));
    CHECK_FALSE(throttle.admit(start + seconds{10} - Duration{1}));
    CHECK(throttle.admit(start + seconds{10}) == 2);
    CHECK_FALSE(throttle.admit(start + seconds{11}));
    CHECK(throttle.admit(start + seconds{20}) == 1);
    CHECK(throttle.admit(start + seconds{40}) == 0);
}

TEST_CASE("lines below the level are not written, and nothing is before init or after shutdown", "[base][log]") {
    log::error("before init");
    CHECK_FALSE(log::enabled(log::Level::error));
    const std::string text = logged(log::Level::info, log::Format::text, [] {
        CHECK(log::enabled(log::Level::info));
        CHECK_FALSE(log::enabled(log::Level::debug));
        log::debug("too quiet");
        log::info("listening on {} 100%");
    });
    log::error("after shutdown");
    CHECK(text.find("too quiet") == std::string::npos);
    CHECK(text.find(" info listening on {} 100%\n") != std::string::npos);
    CHECK(text[10] == 'T');
    CHECK(text[23] == 'Z');
    CHECK(text.find("before") == std::string::npos);
}

TEST_CASE("JSON lines stay one object whatever the message holds", "[base][log]") {
    const std::string text = logged(log::Level::warn, log::Format::json, [] { log::warn("a \"quote\"\nand a line"); });
    CHECK(text.starts_with("{\"time\":\"2"));
    CHECK(text.ends_with("\"level\":\"warn\",\"message\":\"a \\\"quote\\\"\\u000aand a line\"}\n"));
}

TEST_CASE("a throttled line says how many were swallowed before it", "[base][log]") {
    const std::string text = logged(log::Level::info, log::Format::text, [] {
        log::Throttle throttle(seconds{1});
        for (int i = 0; i < 5; ++i) {
            log::write_throttled(throttle, Instant{seconds{10}}, log::Level::warn,
                                 [] { return std::string("refused"); });
        }
        log::write_throttled(throttle, Instant{seconds{11}}, log::Level::warn, [] { return std::string("refused"); });
    });
    CHECK(text.find("refused\n") != std::string::npos);
    CHECK(text.find("refused (and 4 like it before)\n") != std::string::npos);
}

TEST_CASE("lines of several threads come out whole", "[base][log]") {
    const std::string text = logged(log::Level::info, log::Format::text, [] {
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([] {
                for (int i = 0; i < 200; ++i) log::info("0123456789");
            });
        }
        for (auto& thread : threads) thread.join();
    });
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); ++lines) {
        const std::size_t end = text.find('\n', at);
        REQUIRE(text.substr(at + 24, end - at - 24) == " info 0123456789");
        at = end + 1;
    }
    CHECK(lines == 800);
}
