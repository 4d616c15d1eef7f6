// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "client/publish.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <span>

#include "base/format.h"
#include "client/event_line.h"
#include "client/exit_code.h"
#include "client/remark.h"
#include "client/websocket.h"
#include "client/window.h"
#include "protocol/json.h"
#include "ws/utf8.h"

namespace spillway::client {
namespace {

using base::concat;

int exit_code_of(const Refused& refused) { return refused.status / 100 == 4 ? kRefused : kUnreachable; }

int publish_one(const PublishOptions& options, Surroundings surroundings) {
    auto stream = Stream::connect(options.endpoint, surroundings.clock, surroundings.stop);
    if (!stream) {
        remark(stream.error());
        return kUnreachable;
    }
    std::string body;
    append_event(body, options.channel, options.event, options.data);
    const std::string target =
        signed_target(options.endpoint, options.app, "POST", "events", {}, body, surroundings.clock.unix_seconds());
    http::ResponseParser answer({.body_bytes = kAnswerBytesMax});
    std::string rest;
    const auto asked = ask(*stream, post_request(options.endpoint, target, body), surroundings, answer, rest);
    if (asked) return kDone;
    remark(asked.error().reason);
    return exit_code_of(asked.error());
}

/// Lines in, frames out, answers back.
class LinePublisher final : public ws::Sink {
public:
    LinePublisher(const PublishOptions& options, Surroundings surroundings, WebSocket& socket)
        : options_(options), surroundings_(surroundings), socket_(socket), window_(options.window) {}

    int run() {
        const base::Instant begin = surroundings_.clock.now();
        receive();  // what came with the answer
        while (!over_) turn();
        report(surroundings_.clock.now() - begin);
        return exit_code_;
    }

    ws::Flow on_message(ws::Opcode, std::span<const std::byte> payload) override {
        const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
        const auto parsed = json_.parse(text);
        if (!parsed) return ws::Flow::go_on;
        const auto number = [&parsed](std::string_view name) {
            const std::string_view digits = parsed->member(name).text();
            std::uint64_t n = 0;
            std::from_chars(digits.data(), digits.data() + digits.size(), n);
            return n;
        };
        if (const std::string_view error = parsed->member("error").text(); !error.empty()) {
            ++refused_;
            exit_code_ = kRefused;
            remark(concat("line ", number("at"), ": ", error));
        } else {
            window_.acknowledge(number("ack"));
        }
        return ws::Flow::go_on;
    }
    ws::Flow on_ping(std::span<const std::byte> payload) override {
        socket_.send(ws::Opcode::pong, {reinterpret_cast<const char*>(payload.data()), payload.size()});
        return ws::Flow::go_on;
    }
    ws::Flow on_pong(std::span<const std::byte>) override {
        ++pongs_;
        return ws::Flow::go_on;
    }
    void on_close(std::optional<std::uint16_t> code, std::string_view reason) override {
        remark(concat("closed with ", code.value_or(0), reason.empty() ? "" : ": ", reason));
    }

private:
    [[nodiscard]] bool may_read() const {
        return !input_ended_ && window_.open() && socket_.unsent() < kUnsentBytesMax;
    }

    void turn() {
        send_lines();
        if (over_) return;
        if (input_ended_ && begin_ == in_.size()) finish();
        if (over_) return;
        if (!socket_.flush()) return lost();
        // What waits in the buffer needs no more of the input; when the window is shut, only the server can open it.
        const bool wants_input = may_read() && !line_waits_;
        pollfd asked[] = {{.fd = surroundings_.stop.fd(), .events = POLLIN, .revents = 0},
                          {.fd = socket_.fd(),
                           .events = static_cast<short>(socket_.unsent() > 0 ? POLLIN | POLLOUT : POLLIN),
                           .revents = 0},
                          {.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
        const bool waits_for_answer = !wants_input;
        const int ready =
            poll(asked, 3, waits_for_answer ? milliseconds_until(answer_by_, surroundings_.clock.now()) : -1);
        if (asked[0].revents != 0) {
            over_ = true;  // Ctrl-C: what was sent was sent
            return;
        }
        if (asked[1].revents != 0 || wants_input) answer_by_ = surroundings_.clock.now() + kAnswerTimeout;
        if ((asked[1].revents & ~POLLOUT) != 0) receive();
        if (asked[2].revents != 0) read_input();
        if (ready == 0 && waits_for_answer) {
            remark(concat("no answer within ", kAnswerTimeout.count(), " s"));
            lost();
        }
    }

    void receive() {
        if (socket_.receive(*this) == WebSocket::State::ended) lost();
    }

    void read_input() {
        in_.erase(0, begin_);
        begin_ = 0;
        const std::size_t before = in_.size();
        in_.resize(before + Stream::kReceiveBytes);
        const ssize_t got = ::read(STDIN_FILENO, in_.data() + before, Stream::kReceiveBytes);
        in_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) input_ended_ = true;
    }

    /// As many as there are whole ones, the window lets through and the socket may take. One that would cost the connection
    /// ends the input instead.
    void send_lines() {
        line_waits_ = false;
        while (!stopped_at_fault_) {
            if (!window_.open() || socket_.unsent() >= kUnsentBytesMax) {
                line_waits_ = begin_ < in_.size();
                return;
            }
            const auto line = take_line(in_, begin_, input_ended_);
            if (!line) {
                if (in_.size() - begin_ > options_.message_bytes_max) fault("is too long");
                return;
            }
            message_.clear();
            if (options_.json) message_ = *line;
            else append_event(message_, options_.channel, options_.event, *line);
            if (message_.size() > options_.message_bytes_max) return fault("is too long");
            if (!ws::is_valid_utf8(std::as_bytes(std::span(message_)))) return fault("is not UTF-8");
            socket_.send(ws::Opcode::text, message_);
            window_.send();
        }
    }

    void fault(std::string_view what) {
        remark(concat("line ", window_.sent() + 1, " ", what, " (a message has at most ", options_.message_bytes_max,
                      " bytes of UTF-8); stopped before it"));
        exit_code_ = kRefused;
        stopped_at_fault_ = input_ended_ = true;
        begin_ = in_.size();
    }

    /// Pongs follow everything that was sent before the ping; answers of the same turn of the server's may come behind one, so
    /// there are two.
    void finish() {
        if (pongs_ == pings_) {
            if (pings_ == 2) {
                window_.acknowledge(window_.sent());
                socket_.send_close(ws::close_code::kNormal);
                static_cast<void>(socket_.flush());
                over_ = true;
                return;
            }
            ++pings_;
            socket_.send(ws::Opcode::ping, {});
        }
    }

    void lost() {
        if (over_) return;
        remark(concat("the connection was lost; the server had acknowledged ", window_.acknowledged(), " of ",
                      window_.sent(), " lines"));
        exit_code_ = kUnreachable;
        over_ = true;
    }

    void report(base::Duration took) const {
        const double seconds = std::max(std::chrono::duration<double>(took).count(), 1e-6);
        std::string text = concat(window_.sent(), " lines sent, ", refused_, " refused, in ");
        base::append_fixed(text, seconds, 3);
        text += " s: ";
        base::append_fixed(text, static_cast<double>(window_.sent()) / seconds, 0);
        remark(text += " lines a second");
    }

    const PublishOptions& options_;
    const Surroundings surroundings_;
    WebSocket& socket_;
    Window window_;
    protocol::JsonArena json_;
    std::string in_;  // read, from begin_ on not sent
    std::size_t begin_ = 0;
    std::string message_;
    base::Instant answer_by_ = surroundings_.clock.now() + kAnswerTimeout;
    bool input_ended_ = false;
    bool line_waits_ = false;
    bool stopped_at_fault_ = false;
    bool over_ = false;
    unsigned pings_ = 0;
    unsigned pongs_ = 0;
    std::uint64_t refused_ = 0;
    int exit_code_ = kDone;
};

int publish_lines(const PublishOptions& options, Surroundings surroundings) {
    const std::string ack = concat("ack=", std::max<std::uint64_t>(options.window / 4, 1));
    auto socket = WebSocket::open(
        options.endpoint,
        signed_target(options.endpoint, options.app, "GET", "publish", ack, {}, surroundings.clock.unix_seconds()),
        surroundings);
    if (!socket) {
        remark(socket.error().reason);
        return exit_code_of(socket.error());
    }
    return LinePublisher(options, surroundings, **socket).run();
}

}  // namespace

std::optional<std::string_view> take_line(std::string_view text, std::size_t& begin, bool last) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
        if (!last || begin == text.size()) return std::nullopt;
        end = text.size();
    }
    std::string_view line = text.substr(begin, end - begin);
    begin = std::min(end + 1, text.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

int publish(const PublishOptions& options) {
    const base::SystemClock clock;
    crypto::SystemRandom random;
    const StopSignal stop;
    const Surroundings surroundings{clock, random, stop};
    return options.from_input ? publish_lines(options, surroundings) : publish_one(options, surroundings);
}

}  // namespace spillway::client
