// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/session.h"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "client_frames.h"

using namespace spillway::ws;
using namespace spillway::ws::test;

namespace {

/// Every way of cutting the input into two and into equal pieces, by both routes, must tell what the whole tells.
void check_every_split(std::string_view input, const std::string& expected, MessageLimits limits = {}) {
    for (const bool slowly : {false, true}) {
        for (std::size_t cut = 0; cut <= input.size(); ++cut) {
            SessionPool pool;
            Connection connection{.pool = pool, .limits = limits, .slowly = slowly};
            connection.feed(input.substr(0, cut));
            connection.feed(input.substr(cut));
            INFO("cut at " << cut << (slowly ? ", slowly" : ""));
            REQUIRE(connection.log() == expected);
        }
        for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
            SessionPool pool;
            Connection connection{.pool = pool, .limits = limits, .slowly = slowly};
            INFO("pieces of " << piece << (slowly ? ", slowly" : ""));
            REQUIRE(connection.feed_in_pieces(input, piece).log() == expected);
        }
    }
}

std::string failed_1002(std::string_view reason) { return "failed 1002 " + std::string(reason) + "\n"; }

}  // namespace

TEST_CASE("the examples of RFC 6455 section 5.7 that a client can send") {
    check_every_split("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "text Hello\n");
    check_every_split("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "pong Hello\n");
    check_every_split(fragment(1, "Hel", false) + fragment(0, "lo", true), "text Hello\n");
    check_every_split(binary_frame(std::string(256, 'b')), "binary " + std::string(256, 'b') + "\n");
    CHECK(told(binary_frame(std::string(65536, 'b')), {.message_bytes = 65536}) ==
          "binary " + std::string(65536, 'b') + "\n");
}

TEST_CASE("events come in the order of the wire, however the bytes arrive") {
    check_every_split(text_frame("one") + ping_frame("p") + binary_frame("") + text_frame("") + pong_frame("") +
                          fragment(2, "a", false) + ping_frame("inside") + fragment(0, "", false) + pong_frame("too") +
                          fragment(0, "b", true) + text_frame("last") + close_frame(close_payload(1001, "bye")),
                      "text one\nping p\nbinary \ntext \npong \nping inside\npong too\nbinary ab\ntext last\nclose "
                      "1001 bye\nclosed 1001\n");
}

TEST_CASE("payloads at every border of the length forms, with keys of all kinds") {
    for (const std::size_t size : {0U,    1U,    3U,    7U,    8U,     9U,     124U,   125U,   126U,   127U,  4081U,
                                   4082U, 4095U, 4096U, 4097U, 16383U, 16384U, 16385U, 65535U, 65536U, 70000U}) {
        std::string payload;
        for (std::size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>('a' + i % 26));
        for (const std::uint32_t key : {0U, 0xFFFFFFFFU, 0x01020304U, 0x80FF007FU}) {
            const std::string frame = ClientFrame{.opcode = 1, .payload = payload, .key = key}.encode();
            for (const std::size_t piece : {frame.size(), std::size_t{4096}, std::size_t{1021}}) {
                for (const bool slowly : {false, true}) {
                    SessionPool pool;
                    Connection connection{.pool = pool, .limits = {.message_bytes = 70000}, .slowly = slowly};
                    INFO(size << " bytes, key " << key << ", pieces of " << piece);
                    REQUIRE(connection.feed_in_pieces(frame, piece).log() == "text " + payload + "\n");
                    REQUIRE(connection.inbound.at_message_boundary());
                }
            }
        }
    }
}

TEST_CASE("frames that break a rule fail with 1002 and the rule") {
    const std::string before = text_frame("ok");
    const auto check = [&before](const std::string& frame, std::string_view reason) {
        check_every_split(before + frame + text_frame("not told"), "text ok\n" + failed_1002(reason));
    };
    for (const unsigned rsv : {1U, 2U, 4U, 7U}) {
        check(ClientFrame{.payload = "x", .rsv = rsv}.encode(), "reserved bits are set without an extension");
        check(ClientFrame{.opcode = 9, .rsv = rsv}.encode(), "reserved bits are set without an extension");
    }
    for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
        check(ClientFrame{.opcode = opcode, .payload = "x"}.encode(), "reserved opcode");
    }
    for (const unsigned opcode : {1U, 2U, 8U, 9U, 10U}) {
        check(ClientFrame{.opcode = opcode, .payload = "xy", .masked = false}.encode(),
              "frame from a client is not masked");
        check(ClientFrame{.opcode = opcode, .masked = false}.encode(), "frame from a client is not masked");
    }
    for (const unsigned opcode : {8U, 9U, 10U}) {
        check(ClientFrame{.opcode = opcode, .fin = false}.encode(), "fragmented control frame");
        check(ClientFrame{.opcode = opcode, .payload = std::string(126, 'x')}.encode(), "control frame over 125 bytes");
        check(ClientFrame{.opcode = opcode, .payload = "x", .length_bytes = 2}.encode(),
              "control frame over 125 bytes");
        check(ClientFrame{.opcode = opcode, .payload = "x", .length_bytes = 8}.encode(),
              "control frame over 125 bytes");
    }
    check(fragment(0, "x", true), "continuation of no message");
    check(fragment(0, "", false), "continuation of no message");
    check(ClientFrame{.payload = std::string(125, 'x'), .length_bytes = 2}.encode(),
          "frame length in a longer form than needed");
    check(ClientFrame{.payload = "", .length_bytes = 8}.encode(), "frame length in a longer form than needed");
    check(ClientFrame{.length_bytes = 8, .announced = 65535}.encode(), "frame length in a longer form than needed");

    check_every_split(fragment(1, "a", false) + text_frame("b"), failed_1002("a new message inside a fragmented one"));
    check_every_split(fragment(1, "a", false) + fragment(2, "b", false),
                      failed_1002("a new message inside a fragmented one"));
    check_every_split(fragment(1, "a", true) + fragment(0, "b", true),
                      "text a\n" + failed_1002("continuation of no message"));
}

TEST_CASE("a control frame of 125 bytes passes, also inside a message with a lower limit") {
    const std::string payload(125, 'c');
    check_every_split(ping_frame(payload), "ping " + payload + "\n", {.message_bytes = 1});
    check_every_split(fragment(1, "a", false) + pong_frame(payload) + fragment(0, "", true),
                      "pong " + payload + "\ntext a\n", {.message_bytes = 1});
}

TEST_CASE("lengths that lie are refused when they are announced, before anything is stored") {
    for (const std::uint64_t announced :
         {std::uint64_t{32769}, std::uint64_t{65536}, std::uint64_t{1} << 32, (std::uint64_t{1} << 32) + 5,
          std::uint64_t{1} << 62, std::uint64_t{1} << 63, UINT64_MAX - 4, UINT64_MAX - 1}) {
        INFO(announced);
        const bool is_length = announced >> 63 == 0;  // RFC 6455 section 5.2: its highest bit is 0
        const std::string refusal =
            is_length ? "failed 1009 message too big\n" : failed_1002("frame length has its highest bit set");
        check_every_split(ClientFrame{.announced = announced}.encode(), refusal);
        check_every_split(fragment(2, "a", false) + ClientFrame{.opcode = 0, .announced = announced}.encode(), refusal);

        // The header without its masking key is enough.
        SessionPool pool;
        Connection connection{.pool = pool};
        const std::string header = ClientFrame{.announced = announced}.encode();
        CHECK(connection.feed(header.substr(0, header.size() - 4)).close_code == (is_length ? 1009 : 1002));
        CHECK(connection.inbound.ended());
    }
}

TEST_CASE("2^64-1 is refused too, with a limit and with none") {
    std::string frame(
        "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
        "mask",
        14);
    check_every_split(frame, failed_1002("frame length has its highest bit set"));
    check_every_split(frame, failed_1002("frame length has its highest bit set"), {.message_bytes = UINT64_MAX});
}

TEST_CASE("the limit holds for a message, at it and one past it, whole or in fragments whose sum could wrap") {
    const MessageLimits limits{.message_bytes = 10};
    check_every_split(text_frame("0123456789"), "text 0123456789\n", limits);
    check_every_split(text_frame("0123456789a"), "failed 1009 message too big\n", limits);
    check_every_split(fragment(1, "01234", false) + fragment(0, "56789", false) + fragment(0, "", true),
                      "text 0123456789\n", limits);
    check_every_split(fragment(1, "01234", false) + fragment(0, "56789", false) + fragment(0, "a", true),
                      "failed 1009 message too big\n", limits);
    check_every_split(fragment(1, "0", false) + ClientFrame{.opcode = 0, .announced = UINT64_MAX / 2}.encode(),
                      "failed 1009 message too big\n", limits);

    // The next message counts from nothing.
    check_every_split(text_frame("0123456789") + fragment(1, "01234", false) + fragment(0, "56789", true),
                      "text 0123456789\ntext 0123456789\n", limits);
}

TEST_CASE("a limit that shrinks in the middle of a message refuses what follows") {
    SessionPool pool;
    Connection connection{.pool = pool, .limits = {.message_bytes = 100}};
    connection.feed(fragment(1, std::string(50, 'a'), false));
    connection.limits.message_bytes = 10;
    CHECK(connection.feed(fragment(0, "", true)).close_code == 1009);
}

TEST_CASE("so many fragments and no more; control frames between them do not count, empty fragments do") {
    const MessageLimits limits{.fragments = 3};
    const std::string three = fragment(1, "a", false) + ping_frame("1") + ping_frame("2") + fragment(0, "", false);
    check_every_split(three + fragment(0, "c", true), "ping 1\nping 2\ntext ac\n", limits);
    check_every_split(three + fragment(0, "c", false) + fragment(0, "d", true),
                      "ping 1\nping 2\nfailed 1008 too many fragments\n", limits);
    CHECK(told(text_frame("a"), {.fragments = 1}) == "text a\n");
    CHECK(told(fragment(1, "a", false) + fragment(0, "b", true), {.fragments = 1}) ==
          "failed 1008 too many fragments\n");
}

TEST_CASE("half a million tiny fragments hold little more than their bytes") {
    SessionPool pool;
    Connection connection{.pool = pool, .limits = {.message_bytes = 1'000'000, .fragments = 600'000}};
    connection.feed(fragment(2, "a", false));
    const std::string one = fragment(0, "a", false);
    std::string thousand;
    for (int i = 0; i < 1000; ++i) thousand += one;
    for (int i = 0; i < 500; ++i) REQUIRE(connection.feed(thousand).state == SessionState::ok);
    CHECK(connection.inbound.bytes_held() < 1'100'000);
    connection.feed(fragment(0, "", true));
    CHECK(connection.log().size() == std::string_view("binary \n").size() + 500'001);
    CHECK(pool.bytes_held() < 40'000);
}

TEST_CASE("an announced giant within the limit costs what has arrived of it") {
    SessionPool pool;
    const MessageLimits limits{.message_bytes = 16 << 20};
    std::vector<Connection> connections;
    for (int i = 0; i < 200; ++i) {
        connections.push_back({.pool = pool, .limits = limits});
        connections.back().feed(ClientFrame{.opcode = 2, .announced = 16 << 20}.encode() + "a few bytes");
    }
    CHECK(pool.lent() == 200);
    CHECK(pool.bytes_held() < 200 * 11'000);
}

TEST_CASE("text is valid UTF-8 or fails with 1007 at the byte that spoils it") {
    check_every_split(text_frame("\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5"),
                      "text \xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\n");
    check_every_split(
        fragment(1, "\xF0\x9F", false) + ping_frame("") + fragment(0, "\x98", false) + fragment(0, "\x80", true),
        "ping \ntext \xF0\x9F\x98\x80\n");
    for (const std::string_view bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\x80", "\xE2\x82",
                                       "ok\xF0\x9F\x98", "\xE2\x82(", "01234567\xC3", "0123456\xC3("}) {
        check_every_split(text_frame(std::string(bad)) + text_frame("no"), "failed 1007 text is not UTF-8\n");
        check_every_split(binary_frame(std::string(bad)), "binary " + std::string(bad) + "\n");
    }
    check_every_split(fragment(1, "\xE2\x82", false) + fragment(0, "", true), "failed 1007 text is not UTF-8\n");

    SessionPool pool;
    Connection connection{.pool = pool};
    const std::string frame = text_frame(
        "ab\xFF"
        "cdef");
    CHECK(connection.feed(frame.substr(0, 8)).state == SessionState::ok);
    CHECK(connection.feed(frame.substr(8, 1)).close_code == 1007);
}

TEST_CASE("UTF-8 across the borders of wslay's buffer and of frames up to 65535") {
    for (const std::size_t before : {0U, 123U, 124U, 125U, 126U, 4079U, 4081U, 4087U, 4088U, 4089U, 4093U, 4094U, 4095U,
                                     4096U, 16382U, 16384U, 65532U, 65533U, 65535U}) {
        for (const std::string_view character : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
            const std::string good = std::string(before, 'a') + std::string(character);
            const MessageLimits limits{.message_bytes = 70000};
            for (const bool slowly : {false, true}) {
                INFO(before << " before " << character.size());
                REQUIRE(told(text_frame(good), limits, slowly) == "text " + good + "\n");
                REQUIRE(told(text_frame(good + "tail"), limits, slowly) == "text " + good + "tail\n");
                REQUIRE(told(text_frame(good.substr(0, good.size() - 1)), limits, slowly) ==
                        "failed 1007 text is not UTF-8\n");
                REQUIRE(told(text_frame(good.substr(0, good.size() - 1) + "tail"), limits, slowly) ==
                        "failed 1007 text is not UTF-8\n");
            }
        }
    }
}

TEST_CASE("close frames: code and reason are told, wrong ones fail, nothing behind one is read") {
    check_every_split(close_frame("") + text_frame("no"), "close without code\nclosed 0\n");
    check_every_split(close_frame(close_payload(1000)), "close 1000 \nclosed 1000\n");
    check_every_split(close_frame(close_payload(3000, std::string(123, 'r'))),
                      "close 3000 " + std::string(123, 'r') + "\nclosed 3000\n");
    check_every_split(close_frame(close_payload(4999, "\xE2\x82\xAC")), "close 4999 \xE2\x82\xAC\nclosed 4999\n");
    for (const unsigned good :
         {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U, 1013U, 1014U, 3000U, 3999U, 4000U}) {
        CHECK(told(close_frame(close_payload(good))) ==
              "close " + std::to_string(good) + " \nclosed " + std::to_string(good) + "\n");
    }
    check_every_split(close_frame("x"), failed_1002("a close payload is empty or begins with a code"));
    for (const unsigned bad : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U}) {
        check_every_split(close_frame(close_payload(bad)) + ping_frame("no"), failed_1002("invalid close code"));
    }
    check_every_split(close_frame(close_payload(1000, "ab\xFF")), "failed 1007 the close reason is not UTF-8\n");
    check_every_split(close_frame(close_payload(1000, "\xE2\x82")), "failed 1007 the close reason is not UTF-8\n");
    check_every_split(fragment(1, "lost", false) + close_frame(close_payload(1001)), "close 1001 \nclosed 1001\n");
}

TEST_CASE("after the end everything is consumed and nothing is told") {
    SessionPool pool;
    Connection connection{.pool = pool};
    const auto closed = connection.feed(close_frame("") + "rest");
    CHECK(closed.state == SessionState::closed);
    CHECK(closed.consumed == close_frame("").size() + 4);
    CHECK(connection.inbound.ended());
    CHECK_FALSE(connection.inbound.at_message_boundary());
    const auto again = connection.feed(text_frame("no"));
    CHECK(again.consumed == text_frame("no").size());
    CHECK(again.state == SessionState::ok);
    CHECK(connection.log() == "close without code\nclosed 0\n");
    connection.inbound.release();
    connection.feed(text_frame("another connection"));
    CHECK(connection.log().ends_with("closed 0\ntext another connection\n"));
}

TEST_CASE("a sink that pauses gets one event at a time and the caller keeps the rest") {
    const std::string input = text_frame("a") + ping_frame("p") + fragment(2, "b", false) + pong_frame("q") +
                              fragment(0, "c", true) + text_frame("d");
    for (const bool slowly : {false, true}) {
        SessionPool pool;
        Connection connection{.pool = pool, .slowly = slowly};
        connection.sink.pause_always = true;
        std::vector<std::size_t> borders;
        std::string_view rest = input;
        while (!rest.empty()) {
            const std::size_t events = connection.sink.events;
            const auto result = slowly ? pool.feed_slowly(connection.inbound, bytes(rest), {}, connection.sink)
                                       : pool.feed(connection.inbound, bytes(rest), {}, connection.sink);
            REQUIRE(result.state == SessionState::paused);
            REQUIRE(connection.sink.events == events + 1);
            rest.remove_prefix(result.consumed);
            borders.push_back(result.consumed);
        }
        CHECK(connection.log() == "text a\nping p\npong q\nbinary bc\ntext d\n");
        CHECK(borders == std::vector<std::size_t>{7, 7, 14, 7, 7});
        CHECK(connection.inbound.at_message_boundary());
    }
    SessionPool pool;
    for (std::size_t piece = 1; piece < input.size(); ++piece) {
        Connection connection{.pool = pool};
        connection.sink.pause_always = true;
        REQUIRE(connection.feed_in_pieces(input, piece).log() == "text a\nping p\npong q\nbinary bc\ntext d\n");
    }
}

TEST_CASE("an idle connection holds nothing, an incomplete one a Session that comes back") {
    static_assert(sizeof(Inbound) == 8);
    SessionPool pool;
    Connection connection{.pool = pool};
    connection.feed(text_frame("a") + ping_frame("b") + text_frame(std::string(5000, 'c')));
    CHECK(pool.lent() == 0);
    CHECK(pool.idle() == 0);
    CHECK(pool.bytes_held() == 0);

    connection.feed(text_frame("abc").substr(0, 1));
    CHECK(pool.lent() == 1);
    CHECK_FALSE(connection.inbound.at_message_boundary());
    CHECK(connection.inbound.bytes_held() > 0);
    CHECK(connection.inbound.bytes_held() < 1024);  // no wslay context for a header
    connection.feed(text_frame("abc").substr(1));
    CHECK(pool.lent() == 0);
    CHECK(pool.idle() == 1);
    CHECK(connection.inbound.bytes_held() == 0);

    connection.feed(fragment(1, "a", false));
    CHECK(pool.lent() == 1);
    CHECK(pool.idle() == 0);
    connection.feed(fragment(0, "b", true));
    CHECK(pool.idle() == 1);
}

TEST_CASE("a Session that ended inside a message or in failure is freed, not lent again") {
    SessionPool pool;
    {
        Connection connection{.pool = pool};
        connection.feed(fragment(1, "secret", false));
        CHECK(pool.lent() == 1);
    }
    CHECK(pool.lent() == 0);
    CHECK(pool.idle() == 0);
    CHECK(pool.bytes_held() == 0);
    {
        Connection connection{.pool = pool};
        connection.feed(fragment(1, "\xFF", false));
        CHECK(connection.inbound.ended());
    }
    CHECK(pool.idle() == 0);
    {
        Connection connection{.pool = pool};
        connection.feed_in_pieces(ping_frame("abc"), 1);  // control frames leave no trace
    }
    CHECK(pool.idle() == 1);
    Connection next{.pool = pool};
    next.feed_in_pieces(text_frame("xy"), 1);
    CHECK(next.log() == "text xy\n");
}

TEST_CASE("the pool keeps as many Sessions as it was told to, and no large buffers") {
    SessionPool pool(2);
    std::vector<Connection> connections;
    for (int i = 0; i < 5; ++i) connections.push_back({.pool = pool, .limits = {.message_bytes = 1 << 20}});
    for (auto& connection : connections) connection.feed(fragment(2, std::string(300'000, 'x'), false));
    CHECK(pool.lent() == 5);
    CHECK(pool.bytes_held() >= 5 * 300'000);
    for (auto& connection : connections) connection.feed(fragment(0, "", true));
    CHECK(pool.lent() == 0);
    CHECK(pool.idle() == 2);
    CHECK(pool.bytes_held() < 2 * 12'000);
}

TEST_CASE("one pool serves many connections in turn without mixing them") {
    SessionPool pool(3);
    std::vector<Connection> connections;
    std::vector<std::string> inputs;
    for (int i = 0; i < 20; ++i) {
        connections.push_back({.pool = pool});
        const std::string name = std::to_string(i);
        inputs.push_back(fragment(1, "first of " + name, false) + ping_frame(name) +
                         fragment(0, " and last of " + name, true) + text_frame(name));
    }
    for (std::size_t at = 0; at < 80; ++at) {
        for (std::size_t i = 0; i < connections.size(); ++i) {
            if (at < inputs[i].size()) connections[i].feed(std::string_view(inputs[i]).substr(at, 1));
        }
    }
    for (std::size_t i = 0; i < connections.size(); ++i) {
        const std::string name = std::to_string(i);
        CHECK(connections[i].log() ==
              "ping " + name + "\ntext first of " + name + " and last of " + name + "\ntext " + name + "\n");
    }
    CHECK(pool.lent() == 0);
}

TEST_CASE("an Inbound takes its Session with it when moved") {
    SessionPool pool;
    EventLog sink;
    Inbound first;
    pool.feed(first, bytes(fragment(1, "a", false)), {}, sink);
    Inbound second = std::move(first);
    CHECK(first.at_message_boundary());  // NOLINT(bugprone-use-after-move): moved from means idle
    pool.feed(second, bytes(fragment(0, "b", true)), {}, sink);
    CHECK(sink.log == "text ab\n");

    pool.feed(second, bytes(fragment(1, "c", false)), {}, sink);
    Inbound third;
    pool.feed(third, bytes(fragment(1, "d", false)), {}, sink);
    third = std::move(second);
    CHECK(pool.lent() == 1);
    pool.feed(third, bytes(fragment(0, "e", true)), {}, sink);
    CHECK(sink.log == "text ab\ntext ce\n");
}

TEST_CASE("a pool for servers' frames reads them whole and in pieces, and refuses a client's") {
    const auto server_frame = [](unsigned opcode, std::string payload, bool fin = true) {
        return ClientFrame{.opcode = opcode, .payload = std::move(payload), .fin = fin, .masked = false}.encode();
    };
    const std::string large(70'000, 'x');
    const std::string good = server_frame(0x1, "hello") + server_frame(0x9, "p") + server_frame(0x1, "fra", false) +
                             server_frame(0xA, "") + server_frame(0x0, "gment") + server_frame(0x2, large) +
                             server_frame(0x8, close_payload(4200, "bye"));
    const std::string expected =
        "text hello\nping p\npong \ntext fragment\nbinary " + large + "\nclose 4200 bye\nclosed 4200\n";
    const MessageLimits limits{.message_bytes = 100'000};
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, good.size()}) {
        SessionPool pool(1, Peer::server);
        Connection connection{.pool = pool, .limits = limits};
        CHECK(connection.feed_in_pieces(good, piece).log() == expected);
    }
    const auto told_of_server = [&limits](const std::string& bytes) {
        SessionPool pool(1, Peer::server);
        Connection connection{.pool = pool, .limits = limits};
        connection.feed(bytes);
        return connection.log();
    };
    CHECK(told_of_server(text_frame("hello")) == "failed 1002 frame from a server is masked\n");
    CHECK(told_of_server(server_frame(0x1, "\xFF")) == "failed 1007 text is not UTF-8\n");
    CHECK(told_of_server(server_frame(0x1, std::string(100'001, 'x'))) == "failed 1009 message too big\n");
}
