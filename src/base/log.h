// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What the operator should know, one line each, to standard error. Written by a thread of its own from a bounded queue
// that forgets its oldest lines rather than hold up a core. Never called per message: counters tell of those. Whatever
// a peer can cause at will goes through a Throttle, and bytes of a peer through escaped().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/format.h"

namespace spillway::base::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };
enum class Format : std::uint8_t { text, json };

/// The level of that name ("trace" … "off"), or nothing.
[[nodiscard]] std::optional<Level> level_named(std::string_view name) noexcept;

/// Starts the log's thread. Call once from the main thread before other threads log; without it nothing is written.
/// All signals are blocked in the log's thread, so that they go to those who wait for them.
void init(Level level, Format format);

/// From now on lines of this level and above are written. Any thread.
void set_level(Level level) noexcept;

/// Writes out what is queued and stops the thread; later lines are dropped. Waits a tenth of a second at most for somebody
/// to read. Safe to call without init().
void shutdown();

/// Lines that nobody will see, since the start. Any thread, before shutdown().
struct LostLines {
    std::uint64_t overrun = 0;    // made way for newer ones in a full queue
    std::uint64_t unwritten = 0;  // standard error did not take them whole: a full disk
};
[[nodiscard]] LostLines lost() noexcept;

/// From any thread. A line's text is made by the caller; test first where making it costs.
[[nodiscard]] bool enabled(Level level) noexcept;
void write(Level level, std::string_view text) noexcept;

inline void debug(std::string_view text) noexcept { write(Level::debug, text); }
inline void info(std::string_view text) noexcept { write(Level::info, text); }
inline void warn(std::string_view text) noexcept { write(Level::warn, text); }
inline void error(std::string_view text) noexcept { write(Level::error, text); }

/// Lets through one line of a kind per interval and counts the others. Each kind of line has one, per core: one thread.
class Throttle {
public:
    explicit Throttle(Duration interval) : interval_(interval) {}

    /// Nothing if the line is to be swallowed; else how many were swallowed since the last that passed.
    [[nodiscard]] std::optional<std::uint64_t> admit(Instant now) noexcept;

private:
    const Duration interval_;
    std::optional<Instant> last_;
    std::uint64_t swallowed_ = 0;
};

/// Writes `text()` if the level is on and the throttle lets it pass, with the number of lines swallowed before it.
template <class F>
void write_throttled(Throttle& throttle, Instant now, Level level, F&& text) {
    if (!enabled(level)) return;
    const std::optional<std::uint64_t> swallowed = throttle.admit(now);
    if (!swallowed) return;
    std::string line = text();
    if (*swallowed != 0) append(line, " (and ", *swallowed, " like it before)");
    write(level, line);
}

/// Bytes from a peer as harmless text: what is not printable ASCII, and the backslash, become \xNN; after `max` bytes
/// of input it is cut and ends in "...".
[[nodiscard]] std::string escaped(std::string_view bytes, std::size_t max = 256);

/// `text` as the inside of a JSON string: quotes, backslashes and control characters escaped; bytes that are not ASCII
/// are replaced by \u00NN, so that any input gives valid JSON.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace spillway::base::log
