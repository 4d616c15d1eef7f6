// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/tail.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <span>

#include "base/format.h"
#include "client/backoff.h"
#include "client/exit_code.h"
#include "client/remark.h"
#include "client/websocket.h"
#include "protocol/json.h"

namespace spillway::client {
namespace {

using base::concat;

/// What all connections of one run share.
struct Run {
    const TailOptions& options;
    Surroundings surroundings;
    std::string lines;  // not written yet: what one read brought
    std::uint64_t printed = 0;
    std::optional<int> exit_code;

    void print(const Event& event) {
        if (exit_code) return;
        append_line(lines, options.form, surroundings.clock.unix_milliseconds(), event);
        if (++printed == options.count) exit_code = kDone;
    }
    void end(int code) {
        if (!exit_code) exit_code = code;
    }
    /// Blocks while the reader does not read: then the server drops for us, not memory grows here.
    void write_lines() {
        std::string_view left = lines;
        while (!left.empty()) {
            const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) {
                end(kDone);  // the reader is gone
                break;
            }
            left.remove_prefix(static_cast<std::size_t>(written));
        }
        lines.clear();
    }
};

/// One connection with its channels, and what becomes of it.
class Listener final : public ws::Sink {
public:
    Listener(Run& run, std::span<const std::string> channels) : run_(run), channels_(channels) {}

    [[nodiscard]] int fd() const { return socket_ ? socket_->fd() : -1; }
    [[nodiscard]] short events() const { return static_cast<short>(socket_->unsent() > 0 ? POLLIN | POLLOUT : POLLIN); }

    /// When something is to be done without a word from the server.
    [[nodiscard]] base::Instant deadline() const {
        return !socket_ ? next_try_ : heard_ + silence_ + (pinged_ ? kPongTimeout : std::chrono::seconds{0});
    }
    void act(base::Instant now) {
        if (now < deadline()) return;
        if (!socket_) {
            connect();
        } else if (!pinged_) {
            pinged_ = true;
            if (feed()) socket_->send(ws::Opcode::ping, {});
            else socket_->send(ws::Opcode::text, R"({"event":"pusher:ping","data":{}})");
        } else {
            lost("the server does not answer", 0);
        }
        if (socket_ && !socket_->flush()) lost("the connection broke", 0);
    }
    void receive() {
        heard_ = run_.surroundings.clock.now();
        pinged_ = false;
        const auto state = socket_->receive(*this);
        if (state == WebSocket::State::ended || !socket_->flush())
            lost(close_text_.empty() ? "the connection was closed" : close_text_, close_code_);
    }
    /// With a close frame, as far as it goes out at once.
    void leave() {
        if (!socket_) return;
        socket_->send_close(ws::close_code::kNormal);
        static_cast<void>(socket_->flush());
    }

    ws::Flow on_message(ws::Opcode, std::span<const std::byte> payload) override {
        const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
        if (feed())
            run_.print({.channel = channels_.front(), .name = {}, .data = text, .data_is_json = false, .user_id = {}});
        else on_pusher_message(text);
        return ws::Flow::go_on;
    }
    ws::Flow on_ping(std::span<const std::byte> payload) override {
        socket_->send(ws::Opcode::pong, {reinterpret_cast<const char*>(payload.data()), payload.size()});
        return ws::Flow::go_on;
    }
    ws::Flow on_pong(std::span<const std::byte>) override { return ws::Flow::go_on; }
    void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
        close_code_ = code.value_or(0);
        close_text_ = concat("closed with ", close_code_, reason.empty() ? "" : ": ", reason);
    }

private:
    [[nodiscard]] bool feed() const { return run_.options.wire == Wire::feed; }

    void connect() {
        const TailOptions& options = run_.options;
        auto opened = WebSocket::open(options.endpoint,
                                      feed() ? feed_target(options.endpoint, options.app, channels_.front())
                                             : pusher_target(options.endpoint, options.app),
                                      run_.surroundings);
        const base::Instant now = run_.surroundings.clock.now();
        if (!opened) {
            const Refused& refused = opened.error();
            if (refused.stopped) return run_.end(kDone);
            // 4xx is about us; 408 and 429 pass, as does everything of 5xx.
            const bool for_good = refused.status / 100 == 4 && refused.status != 408 && refused.status != 429;
            return retry(refused.reason, for_good ? Retry::never : Retry::later, now);
        }
        socket_ = *std::move(opened);
        heard_ = connected_ = now;
        silence_ = kSilence;
        pinged_ = false;
        close_code_ = 0;
        close_text_.clear();
        if (feed()) listening();
        receive();  // what came with the answer
    }

    /// From now on nothing is missed.
    void listening() {
        if (!lost_) return;
        const Run& run = run_;
        const base::Clock& clock = run.surroundings.clock;
        if (run.options.gaps)
            append_gap(run_.lines, run.options.form, clock.unix_milliseconds(),
                       std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - *lost_));
        lost_.reset();
        remark("connected again");
    }

    void lost(std::string_view why, std::uint16_t code) {
        const std::string reason(why);  // may be of what is forgotten here
        const base::Instant now = run_.surroundings.clock.now();
        if (now - connected_ >= kSettled) backoff_.succeeded();
        socket_.reset();
        if (!lost_) lost_ = now;
        retry(reason, retry_after(code), now);
    }

    void retry(std::string_view reason, Retry how, base::Instant now) {
        if (run_.exit_code) return;
        const auto pause = backoff_.next(how, run_.surroundings.random.next());
        if (!pause || !run_.options.reconnect) {
            remark(reason);
            return run_.end(pause ? kUnreachable : kRefused);
        }
        next_try_ = now + *pause;
        remark(concat(reason, "; again in ", pause->count(), " ms"));
    }

    void on_pusher_message(std::string_view text) {
        const auto parsed = json_.parse(text);
        if (!parsed) return remark(concat("not JSON from the server: ", text.substr(0, 200)));
        const std::string_view event = parsed->member("event").text();
        const protocol::JsonMember data = parsed->find("data");
        if (event == "pusher:connection_established") return established(data.value.text());
        if (event == "pusher:ping") return socket_->send(ws::Opcode::text, R"({"event":"pusher:pong","data":{}})");
        const std::string_view channel = parsed->member("channel").text();
        if (event == "pusher:subscription_error") {
            remark(concat("channel ", channel, ": ", data.value.member("error").text()));
            return run_.end(kRefused);
        }
        // The close that follows says the same.
        if (event == "pusher:error" && ends_connection(data.value)) return;
        if (event == "pusher:error") {
            remark(concat("the server says: ", data.value.member("message").text()));
            // About what was asked for: without it we would listen to less than that, or to nothing.
            if (subscribed_ < channels_.size()) run_.end(kRefused);
            return;
        }
        if (event == "pusher_internal:subscription_succeeded") {
            if (++subscribed_ == channels_.size()) listening();
            return;
        }
        if (event.starts_with("pusher") || (!run_.options.event.empty() && event != run_.options.event)) return;
        const bool is_text = data.value.is_string();
        std::string_view content = is_text ? data.value.text() : std::string_view("null");
        if (!is_text && data.value.kind() != protocol::JsonKind::absent)
            content = protocol::raw_member(text, data.index);
        run_.print({.channel = channel,
                    .name = event,
                    .data = content,
                    .data_is_json = !is_text,
                    .user_id = parsed->member("user_id").text()});
    }

    static bool ends_connection(protocol::JsonValue data) {
        const std::string_view code = data.member("code").text();
        return code.starts_with("40") || code.starts_with("41") || code.starts_with("42");
    }

    void established(std::string_view data) {
        const std::string copy(data);  // of the arena that is used again
        const auto hello = json_.parse(copy);
        if (!hello) return remark("no greeting from the server");
        const std::string_view seconds = hello->member("activity_timeout").text();
        unsigned given = 0;
        if (std::from_chars(seconds.data(), seconds.data() + seconds.size(), given).ec == std::errc{} && given > 0)
            silence_ = std::min(kSilence, std::chrono::seconds(given));
        subscribed_ = 0;
        const std::string_view socket_id = hello->member("socket_id").text();
        for (const std::string& channel : channels_)
            socket_->send(ws::Opcode::text, subscribe_message(run_.options.app, socket_id, channel));
    }

    Run& run_;
    const std::span<const std::string> channels_;
    std::unique_ptr<WebSocket> socket_;
    protocol::JsonArena json_;
    Backoff backoff_;
    base::Instant next_try_{};  // without a connection
    std::optional<base::Instant> lost_;
    base::Instant connected_{};
    base::Instant heard_{};
    std::chrono::seconds silence_ = kSilence;
    bool pinged_ = false;
    std::size_t subscribed_ = 0;
    std::uint16_t close_code_ = 0;
    std::string close_text_;
};

/// Until one of the connections has something, is due, or it is time to leave.
void turn(Run& run, std::vector<std::unique_ptr<Listener>>& listeners) {
    base::Instant deadline = listeners.front()->deadline();
    std::vector<pollfd> asked = {{.fd = run.surroundings.stop.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = STDOUT_FILENO, .events = 0, .revents = 0}};  // a reader that goes is told
    for (const auto& listener : listeners) {
        deadline = std::min(deadline, listener->deadline());
        asked.push_back(
            {.fd = listener->fd(), .events = listener->fd() < 0 ? short{0} : listener->events(), .revents = 0});
    }
    poll(asked.data(), asked.size(), milliseconds_until(deadline, run.surroundings.clock.now()));
    if (asked[0].revents != 0 || (asked[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return run.end(kDone);
    for (std::size_t i = 0; i < listeners.size() && !run.exit_code; ++i) {
        if (asked[i + 2].revents != 0) listeners[i]->receive();
        listeners[i]->act(run.surroundings.clock.now());
    }
    run.write_lines();
}

}  // namespace

int tail(const TailOptions& options) {
    signal(SIGPIPE, SIG_IGN);  // write(2) tells
    const base::SystemClock clock;
    crypto::SystemRandom random;
    const StopSignal stop;
    Run run{.options = options, .surroundings = {clock, random, stop}, .lines = {}, .printed = 0, .exit_code = {}};
    std::vector<std::unique_ptr<Listener>> listeners;
    const std::span<const std::string> channels(options.channels);
    if (options.wire == Wire::pusher) listeners.push_back(std::make_unique<Listener>(run, channels));
    else
        for (std::size_t i = 0; i < channels.size(); ++i)
            listeners.push_back(std::make_unique<Listener>(run, channels.subspan(i, 1)));
    while (!run.exit_code) turn(run, listeners);
    for (const auto& listener : listeners) listener->leave();
    return *run.exit_code;
}

}  // namespace spillway::client
