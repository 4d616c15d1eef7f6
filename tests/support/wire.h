// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The wire as its peers see it, written apart from the server so that both cannot err alike: client frames out; server
// frames, HTTP answers and JSON objects in. Whatever the server may not send is a SimFailure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace spillway::test {

namespace opcode {
inline constexpr unsigned kContinuation = 0x0, kText = 0x1, kBinary = 0x2, kClose = 0x8, kPing = 0x9, kPong = 0xA;
}

/// One masked frame of a client.
[[nodiscard]] std::string client_frame(unsigned opcode, std::string_view payload, bool fin = true,
                                       std::uint32_t key = 0x5A17C3E9);
[[nodiscard]] std::string close_payload(unsigned code, std::string_view reason = {});

/// `text` in quotes.
[[nodiscard]] std::string json_string(std::string_view text);

struct ServerFrame {
    unsigned opcode = 0;
    std::string payload;
};

/// Frames of a server that fragments nothing and masks nothing.
class FrameReader {
public:
    void feed(std::string_view bytes) { bytes_ += bytes; }
    [[nodiscard]] std::optional<ServerFrame> next();
    [[nodiscard]] bool at_boundary() const { return bytes_.empty(); }

private:
    std::string bytes_;
    bool closed_ = false;
};

struct HttpAnswer {
    int status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
};

class HttpReader {
public:
    void feed(std::string_view bytes) { bytes_ += bytes; }
    [[nodiscard]] std::optional<HttpAnswer> next();
    /// What lies behind the answers: the first frames behind a 101.
    [[nodiscard]] std::string take_rest() { return std::exchange(bytes_, {}); }

private:
    std::string bytes_;
};

struct JsonField {
    bool is_string = false;
    std::string text;  // decoded if it is a string, else as written
};
using JsonObject = std::map<std::string, JsonField>;
/// One object; nested values are kept as text.
[[nodiscard]] JsonObject read_json_object(std::string_view text);
[[nodiscard]] std::string field(const JsonObject& object, const std::string& name);

}  // namespace spillway::test
