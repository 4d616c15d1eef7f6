// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Random conversations, right and wrong, told three ways: directly, through a Session, and by a bare wslay that is given
// the whole input. Where the library differs on purpose (close frames, see ws/session.h) the generator stays away.
#include <sys/types.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <wslay/wslay.h>

#include "client_frames.h"
#include "ws/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

using namespace spillway::ws;
using namespace spillway::ws::test;

namespace {

/// wslay with its own buffering, as its manual shows it.
class BareWslay {
public:
    explicit BareWslay(std::uint64_t message_bytes) {
        wslay_event_callbacks callbacks{};
        callbacks.recv_callback = [](wslay_event_context* context, std::uint8_t* out, std::size_t room, int,
                                     void* self) -> ssize_t {
            auto& input = static_cast<BareWslay*>(self)->input_;
            const std::size_t size = std::min(room, input.size());
            if (size == 0) {
                wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
                return -1;
            }
            std::memcpy(out, input.data(), size);
            input.remove_prefix(size);
            return static_cast<ssize_t>(size);
        };
        callbacks.on_msg_recv_callback = [](wslay_event_context*, const wslay_event_on_msg_recv_arg* message,
                                            void* self) {
            auto& log = static_cast<BareWslay*>(self)->log_;
            const std::string payload(reinterpret_cast<const char*>(message->msg), message->msg_length);
            switch (message->opcode) {
                case WSLAY_TEXT_FRAME: log += "text " + payload + "\n"; break;
                case WSLAY_BINARY_FRAME: log += "binary " + payload + "\n"; break;
                case WSLAY_PING: log += "ping " + payload + "\n"; break;
                case WSLAY_PONG: log += "pong " + payload + "\n"; break;
                default:
                    log += message->msg_length == 0
                               ? "close without code\n"
                               : "close " + std::to_string(message->status_code) + " " + payload.substr(2) + "\n";
            }
        };
        REQUIRE(wslay_event_context_server_init(&context_, &callbacks, this) == 0);
        wslay_event_config_set_max_recv_msg_length(context_, message_bytes);
    }
    ~BareWslay() { wslay_event_context_free(context_); }
    BareWslay(const BareWslay&) = delete;
    BareWslay& operator=(const BareWslay&) = delete;

    std::string tell(std::string_view input) {
        input_ = input;
        const int error = wslay_event_recv(context_);
        if ((error != 0 || wslay_event_get_read_enabled(context_) == 0) &&
            wslay_event_get_close_received(context_) == 0)
            log_ += "failed\n";
        return log_;
    }

private:
    wslay_event_context* context_ = nullptr;
    std::string_view input_;
    std::string log_;
};

/// Ours without what wslay does not tell: how it failed and how it closed.
std::string comparable(std::string log) {
    const auto failed = log.rfind("failed ");
    if (failed != std::string::npos && (failed == 0 || log[failed - 1] == '\n'))
        return log.substr(0, failed) + "failed\n";
    const auto closed = log.rfind("closed ");
    if (closed != std::string::npos && (closed == 0 || log[closed - 1] == '\n')) return log.substr(0, closed);
    return log;
}

class Conversation {
public:
    explicit Conversation(unsigned seed) : random_(seed) {}

    std::string next() {
        std::string out;
        bool open = false;
        const unsigned frames = 1 + pick(8);
        for (unsigned i = 0; i < frames; ++i) out += one_of(40) ? wrong_frame() : right_frame(open);
        // A close frame stays whole: wslay judges its reason as it comes, we when it is there.
        if (one_of(5)) {
            out += close_frame(one_of(3) ? "" : close_payload(1000 + pick(4), payload(pick(20), true)));
        } else if (one_of(20)) {
            out.resize(out.size() - std::min<std::size_t>(out.size(), pick(6)));
        }
        return out;
    }

private:
    unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }
    bool one_of(unsigned n) { return pick(n) == 0; }

    std::string payload(std::size_t size, bool text) {
        static constexpr std::string_view kCharacters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
        std::string out;
        while (out.size() < size) {
            if (!text) {
                out.push_back(static_cast<char>(pick(256)));
            } else if (one_of(6)) {
                out.append(kCharacters[pick(3)]);
            } else {
                out.push_back(static_cast<char>('a' + pick(26)));
            }
        }
        if (text && one_of(12) && !out.empty())
            out[pick(static_cast<unsigned>(out.size()))] = static_cast<char>(pick(256));
        return out;
    }
    std::size_t size() {
        static constexpr unsigned kSizes[] = {0, 1, 5, 20, 124, 126, 300, 4090, 9000};
        return kSizes[pick(one_of(10) ? 9 : 6)] + (one_of(2) ? 0 : pick(3));
    }
    std::string right_frame(bool& open) {
        ClientFrame frame{.key = one_of(8) ? 0U : static_cast<std::uint32_t>(random_())};
        if (one_of(4)) {
            frame.opcode = one_of(2) ? 9 : 10;
            frame.payload = payload(pick(126), false);
        } else {
            if (!open) text_ = !one_of(3);
            frame.opcode = open ? 0 : text_ ? 1 : 2;
            frame.fin = !one_of(3);
            frame.payload = payload(size(), text_);
            if (frame.payload.size() > 2 && text_ && one_of(3) && !frame.fin) frame.payload.pop_back();
            open = !frame.fin;
        }
        return frame.encode();
    }
    std::string wrong_frame() {
        ClientFrame frame{.opcode = pick(16),
                          .payload = payload(pick(130), false),
                          .fin = one_of(2),
                          .rsv = one_of(2) ? pick(8) : 0,
                          .masked = !one_of(3)};
        if (frame.opcode == 8 && frame.payload.size() < 126) frame.rsv = 1;
        if (one_of(3)) frame.length_bytes = one_of(2) ? 2 : 8;
        return frame.encode();
    }

    std::mt19937 random_;
    bool text_ = true;
};

}  // namespace

TEST_CASE("direct, through a Session, and by a bare wslay: twenty thousand conversations end the same") {
    const MessageLimits limits{.message_bytes = 10'000};
    std::size_t messages = 0;
    std::size_t failures = 0;
    for (unsigned seed = 0; seed < 20'000; ++seed) {
        const std::string input = Conversation(seed).next();
        const std::string direct = told(input, limits);
        INFO("seed " << seed);
        REQUIRE(direct == told(input, limits, true));
        REQUIRE(comparable(direct) == BareWslay(limits.message_bytes).tell(input));

        SessionPool pool;
        Connection connection{.pool = pool, .limits = limits};
        REQUIRE(connection.feed_in_pieces(input, 1 + seed % 37).log() == direct);
        messages += direct.find("text ") != std::string::npos;
        failures += direct.find("failed ") != std::string::npos;
    }
    CHECK(messages > 5'000);
    CHECK(failures > 1'000);
}

TEST_CASE("the fuzz target holds for fixed seeds of random and of nearly right bytes") {
    std::mt19937 random(1);
    for (unsigned seed = 0; seed < 10'000; ++seed) {
        std::string input(1, static_cast<char>(random()));
        if (seed % 4 == 0) {
            for (std::size_t i = random() % 60; i > 0; --i) input.push_back(static_cast<char>(random()));
        } else {
            input += Conversation(100'000 + seed).next();
            if (input.size() > 1) input[1 + random() % (input.size() - 1)] ^= static_cast<char>(1U << (random() % 8));
        }
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
    SUCCEED();
}
