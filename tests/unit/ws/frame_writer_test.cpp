// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "ws/frame_writer.h"

#include <array>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "client_frames.h"
#include "ws/close_code.h"
#include "ws/utf8.h"

using namespace spillway::ws;

namespace {

std::vector<int> header(Opcode opcode, std::uint64_t payload_bytes, bool fin = true) {
    std::array<std::byte, kServerHeaderBytesMax + 1> out;
    out.fill(std::byte{0xDD});
    const std::size_t size = write_header(out.data(), opcode, payload_bytes, fin);
    REQUIRE(size == header_size(payload_bytes));
    REQUIRE(out[size] == std::byte{0xDD});
    std::vector<int> numbers;
    for (std::size_t i = 0; i < size; ++i) numbers.push_back(static_cast<int>(out[i]));
    return numbers;
}

constexpr bool written_by_the_compiler() {
    std::array<std::byte, kServerHeaderBytesMax> out{};
    return write_header(out.data(), Opcode::text, 126) == 4 && out[0] == std::byte{0x81} && out[3] == std::byte{126};
}
static_assert(written_by_the_compiler());

}  // namespace

TEST_CASE("headers at every border of the length forms") {
    CHECK(header(Opcode::text, 0) == std::vector<int>{0x81, 0});
    CHECK(header(Opcode::binary, 125) == std::vector<int>{0x82, 125});
    CHECK(header(Opcode::text, 126) == std::vector<int>{0x81, 126, 0, 126});
    CHECK(header(Opcode::text, 65535) == std::vector<int>{0x81, 126, 0xFF, 0xFF});
    CHECK(header(Opcode::text, 65536) == std::vector<int>{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0});
    CHECK(header(Opcode::binary, 0x0123456789ABCDEF) ==
          std::vector<int>{0x82, 127, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF});
    CHECK(header(Opcode::text, 3, false) == std::vector<int>{0x01, 3});
    CHECK(header(Opcode::continuation, 3) == std::vector<int>{0x80, 3});
}

TEST_CASE("the examples of RFC 6455 section 5.7 that a server can send") {
    std::string out;
    append_text(out, "Hello");
    CHECK(out == "\x81\x05Hello");
    out.clear();
    append_frame(out, Opcode::text, std::string_view("Hel"), false);
    append_frame(out, Opcode::continuation, std::string_view("lo"));
    CHECK(out == std::string("\x01\x03Hel\x80\x02lo"));
    out.clear();
    append_ping(out, "Hello");
    CHECK(out == "\x89\x05Hello");
    out.clear();
    append_frame(out, Opcode::binary, std::string(256, 'b'));
    CHECK(out == std::string("\x82\x7E\x01\x00", 4) + std::string(256, 'b'));
    out.clear();
    append_frame(out, Opcode::binary, std::string(65536, 'b'));
    CHECK(out == std::string("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00", 10) + std::string(65536, 'b'));
}

TEST_CASE("frames are appended behind what is there") {
    std::string out = "before";
    append_pong(out, std::as_bytes(std::span("ab", 2)));
    CHECK(out ==
          "before\x8A\x02"
          "ab");
}

TEST_CASE("close frames carry code and reason, or nothing") {
    std::string out;
    append_close(out, 0, "not written");
    CHECK(out == std::string("\x88\x00", 2));
    out.clear();
    append_close(out, 1000);
    CHECK(out == "\x88\x02\x03\xE8");
    out.clear();
    append_close(out, 4200, "reconnect");
    CHECK(out == "\x88\x0B\x10\x68reconnect");
    out.clear();
    append_close(out, close_code::kAbnormal);
    CHECK(out == "\x88\x02\x03\xF3");
}

TEST_CASE("a close reason of 123 bytes fits, a longer one is cut between characters") {
    std::string out;
    append_close(out, 1000, std::string(123, 'r'));
    CHECK(out.size() == 127);
    out.clear();
    append_close(out, 1000, std::string(124, 'r'));
    CHECK(out.size() == 127);
    for (std::size_t before = 115; before < 124; ++before) {
        out.clear();
        append_close(out, 1000, std::string(before, 'r') + "\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA9");
        REQUIRE(out.size() <= 127);
        CHECK(static_cast<std::size_t>(out[1]) == out.size() - 2);
        CHECK(is_valid_utf8(std::as_bytes(std::span(out.data() + 4, out.size() - 4))));
        CHECK(out.size() >= 4 + 120);
    }
}

TEST_CASE("a client's frames are masked, and read by a server as they were meant") {
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U}) {
        const std::string payload(size, 'a');
        std::string frame;
        append_client_frame(frame, Opcode::text, payload, 0x01020304);
        CHECK((static_cast<unsigned char>(frame[1]) & 0x80) != 0);
        CHECK(test::told(frame, {.message_bytes = size}) == "text " + payload + "\n");
        CHECK((size == 0 || frame.find("a") == std::string::npos));
    }
}
