// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <exception>
#include <memory>
#include <utility>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace spillway::base::log {

namespace {

constexpr std::size_t kQueueLines = 8192;
constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info", "warn", "error", "off"};

constexpr spdlog::level::level_enum native(Level level) {
    constexpr spdlog::level::level_enum levels[] = {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                                                    spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
    return levels[static_cast<std::size_t>(level)];
}

std::string_view name_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::trace: return "trace";
        case spdlog::level::debug: return "debug";
        case spdlog::level::info: return "info";
        case spdlog::level::warn: return "warn";
        default: return "error";
    }
}

/// One line per message, as text or as a JSON object; the time is UTC with milliseconds (RFC 3339).
class LineFormatter final : public spdlog::formatter {
public:
    explicit LineFormatter(Format format) : format_(format) {}

    void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& dest) override {
        line_.clear();
        const std::string_view text(msg.payload.data(), msg.payload.size());
        if (format_ == Format::json) {
            line_ += "{\"time\":\"";
            append_time(msg.time);
            append(line_, "\",\"level\":\"", name_of(msg.level), "\",\"message\":\"");
            append_json_escaped(line_, text);
            line_ += "\"}\n";
        } else {
            append_time(msg.time);
            append(line_, ' ', name_of(msg.level), ' ', text, '\n');
        }
        dest.append(line_.data(), line_.data() + line_.size());
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(format_);
    }

private:
    void append_time(spdlog::log_clock::time_point when) {
        using namespace std::chrono;
        const auto ms = duration_cast<milliseconds>(when.time_since_epoch()).count();
        const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
        std::tm utc{};
        gmtime_r(&seconds, &utc);
        char text[40];
        const std::size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
        line_.append(text, n);
        const std::string fraction = std::to_string(1000 + ms % 1000);
        append(line_, '.', std::string_view(fraction).substr(1), 'Z');
    }

    const Format format_;
    std::string line_;
};

void block_all_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

// The pool's thread ends with the last reference; the logger holds a weak one.
std::shared_ptr<spdlog::details::thread_pool> pool;
std::shared_ptr<spdlog::logger> logger;
std::atomic<Level> threshold{Level::off};

}  // namespace

std::optional<Level> level_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
        if (kLevelNames[i] == name) return static_cast<Level>(i);
    }
    return std::nullopt;
}

void init(Level level, Format format) {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_st>();  // one thread writes: no lock
    pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1, block_all_signals);
    logger = std::make_shared<spdlog::async_logger>("spillway", std::move(sink), pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
    logger->set_formatter(std::make_unique<LineFormatter>(format));
    logger->set_level(native(level));
    logger->flush_on(spdlog::level::warn);
    threshold.store(level, std::memory_order_release);
}

void set_level(Level level) noexcept {
    if (logger == nullptr) return;
    logger->set_level(native(level));
    threshold.store(level, std::memory_order_release);
}

void shutdown() {
    threshold.store(Level::off, std::memory_order_release);
    pool.reset();  // writes what is queued, then joins; the logger stays for whoever is about to use it
}

bool enabled(Level level) noexcept { return level != Level::off && level >= threshold.load(std::memory_order_acquire); }

void write(Level level, std::string_view text) noexcept {
    if (!enabled(level)) return;
    try {
        logger->log(native(level), spdlog::string_view_t(text.data(), text.size()));
    } catch (const std::exception&) {
        // A line that cannot be written is lost; the server goes on.
    }
}

std::optional<std::uint64_t> Throttle::admit(Instant now) noexcept {
    if (last_ && now - *last_ < interval_) {
        ++swallowed_;
        return std::nullopt;
    }
    last_ = now;
    return std::exchange(swallowed_, 0);
}

std::string escaped(std::string_view bytes, std::size_t max) {
    std::string text;
    for (const char c : bytes.substr(0, max)) {
        if (c >= 0x20 && c < 0x7F && c != '\\') {
            text += c;
        } else {
            text += "\\x";
            append_hex(text, static_cast<std::uint8_t>(c));
        }
    }
    if (bytes.size() > max) text += "...";
    return text;
}

void append_json_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c >= 0x20 && c < 0x7F) {
            out += c;
        } else {
            out += "\\u00";
            append_hex(out, static_cast<std::uint8_t>(c));
        }
    }
}

}  // namespace spillway::base::log
