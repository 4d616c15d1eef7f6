// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <exception>
#include <memory>
#include <utility>

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
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

std::atomic<bool> ending{false};
std::atomic<std::uint64_t> unwritten{0};

/// Standard error. What it does not take (a full disk) is counted, nothing else comes of it. A pipe that nobody reads holds
/// up the log's thread alone, and not the end of the process.
class StandardError final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
protected:
    void sink_it_(const spdlog::details::log_msg& msg) override {
        spdlog::memory_buf_t line;
        formatter_->format(msg, line);
        const char* next = line.data();
        std::size_t left = line.size();
        while (left != 0) {
            const ssize_t n = has_room() ? ::write(STDERR_FILENO, next, std::min(left, kAtOnce)) : -1;
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                unwritten.fetch_add(1, std::memory_order_relaxed);
                return;
            }
            next += n;
            left -= static_cast<std::size_t>(n);
        }
    }
    void flush_() override {}

private:
    /// POSIX's least PIPE_BUF is less, Linux's is this: a pipe that poll(2) calls writable takes so much without blocking.
    static constexpr std::size_t kAtOnce = 4096;
    static constexpr int kLookMs = 100;

    /// Waits for it, but once the end has come only a moment, and that once.
    bool has_room() {
        pollfd out{STDERR_FILENO, POLLOUT, 0};
        while (true) {
            const bool last = ending.load(std::memory_order_acquire);
            if (::poll(&out, 1, given_up_ ? 0 : kLookMs) != 0) return true;
            given_up_ = last;
            if (!last) continue;
            errno = EAGAIN;
            return false;
        }
    }

    bool given_up_ = false;
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
    ending.store(false, std::memory_order_release);
    auto sink = std::make_shared<StandardError>();
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
    ending.store(true, std::memory_order_release);
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

LostLines lost() noexcept {
    try {
        return {pool == nullptr ? 0 : pool->overrun_counter(), unwritten.load(std::memory_order_relaxed)};
    } catch (const std::exception&) {
        return {};
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
