// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "fake_network.h"

namespace spillway::test {

std::string client_frame(unsigned opcode, std::string_view payload, bool fin, std::uint32_t key) {
    std::string out;
    out.push_back(static_cast<char>((fin ? 0x80U : 0U) | opcode));
    const std::size_t length = payload.size();
    if (length < 126) {
        out.push_back(static_cast<char>(0x80U | length));
    } else {
        const int bytes = length <= 0xFFFF ? 2 : 8;
        out.push_back(static_cast<char>(0x80U | (bytes == 2 ? 126U : 127U)));
        for (int i = bytes - 1; i >= 0; --i)
            out.push_back(static_cast<char>((static_cast<std::uint64_t>(length) >> (8 * i)) & 0xFF));
    }
    char mask[4];
    for (int i = 0; i < 4; ++i) out.push_back(mask[i] = static_cast<char>((key >> (8 * (3 - i))) & 0xFF));
    for (std::size_t i = 0; i < length; ++i) out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
    return out;
}

std::string close_payload(unsigned code, std::string_view reason) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
    return payload.append(reason);
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char hex[8];
            std::snprintf(hex, sizeof hex, "\\u%04x", static_cast<unsigned>(c));
            out += hex;
        } else {
            out.push_back(c);
        }
    }
    return out + '"';
}

// ---- frames

std::optional<ServerFrame> FrameReader::next() {
    const auto at = [this](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes_[i])); };
    if (bytes_.size() < 2) return std::nullopt;
    sim_check((at(0) & 0x80) != 0, "sends whole messages in one frame");
    sim_check((at(0) & 0x70) == 0, "sets no reserved bits");
    sim_check((at(1) & 0x80) == 0, "masks nothing");
    sim_check(!closed_, "sends nothing behind its close frame");
    const unsigned code = at(0) & 0x0F;
    std::size_t length = at(1);
    std::size_t head = 2;
    const std::size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (bytes_.size() < head + extra) return std::nullopt;
    if (extra != 0) {
        length = 0;
        for (std::size_t i = 0; i < extra; ++i) length = length << 8 | at(head + i);
        sim_check(length >= (extra == 2 ? 126U : 0x10000U), "writes lengths in their shortest form");
        head += extra;
    }
    const bool control = code == opcode::kClose || code == opcode::kPing || code == opcode::kPong;
    sim_check(control || code == opcode::kText || code == opcode::kBinary, "sends only opcodes that exist");
    sim_check(!control || length <= 125, "keeps control frames short");
    sim_check(length < (std::size_t{1} << 24), "sends frames of a sensible length");
    if (bytes_.size() < head + length) return std::nullopt;
    ServerFrame frame{code, bytes_.substr(head, length)};
    bytes_.erase(0, head + length);
    closed_ = code == opcode::kClose;
    return frame;
}

// ---- HTTP

std::optional<HttpAnswer> HttpReader::next() {
    const std::size_t end = bytes_.find("\r\n\r\n");
    if (end == std::string::npos) {
        sim_check(bytes_.size() < 16'384, "sends short response heads");
        return std::nullopt;
    }
    sim_check(bytes_.starts_with("HTTP/1.1 "), "answers in HTTP/1.1, and not: " + json_string(bytes_.substr(0, 200)));
    HttpAnswer answer;
    std::from_chars(bytes_.data() + 9, bytes_.data() + 12, answer.status);
    std::size_t line = bytes_.find("\r\n") + 2;
    while (line < end + 2) {
        const std::size_t stop = bytes_.find("\r\n", line);
        const std::size_t colon = bytes_.find(": ", line);
        sim_check(colon != std::string::npos && colon < stop, "writes header lines with a colon");
        std::string name = bytes_.substr(line, colon - line);
        std::ranges::transform(name, name.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        answer.headers[name] = bytes_.substr(colon + 2, stop - colon - 2);
        line = stop + 2;
    }
    std::size_t length = 0;
    if (const auto it = answer.headers.find("content-length"); it != answer.headers.end())
        std::from_chars(it->second.data(), it->second.data() + it->second.size(), length);
    if (bytes_.size() < end + 4 + length) return std::nullopt;
    answer.body = bytes_.substr(end + 4, length);
    bytes_.erase(0, end + 4 + length);
    return answer;
}

// ---- JSON

namespace {

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    JsonObject object() {
        JsonObject out;
        expect('{');
        skip();
        if (peek() == '}') return out;
        for (;;) {
            skip();
            const std::string name = string();
            skip();
            expect(':');
            skip();
            sim_check(!out.contains(name), "writes no JSON member twice");
            out[name] = value();
            skip();
            if (peek() == '}') break;
            expect(',');
        }
        expect('}');
        sim_check(at_ == text_.size(), "writes nothing behind a JSON object");
        return out;
    }

private:
    [[nodiscard]] char peek() const {
        sim_check(at_ < text_.size(), "writes complete JSON");
        return text_[at_];
    }
    char take() {
        const char c = peek();
        ++at_;
        return c;
    }
    void expect(char c) { sim_check(take() == c, "writes valid JSON"); }
    void skip() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
            ++at_;
    }

    unsigned hex4() {
        unsigned value = 0;
        sim_check(at_ + 4 <= text_.size(), "writes complete JSON escapes");
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, value, 16);
        sim_check(error == std::errc{} && end == text_.data() + at_ + 4, "writes valid JSON escapes");
        at_ += 4;
        return value;
    }

    static void append_utf8(std::string& out, unsigned code) {
        if (code < 0x80) {
            out.push_back(static_cast<char>(code));
        } else if (code < 0x800) {
            out.push_back(static_cast<char>(0xC0 | (code >> 6)));
            out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
        } else {
            out.push_back(static_cast<char>(0xE0 | (code >> 12)));
            out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
            out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
        }
    }

    std::string string() {
        std::string out;
        expect('"');
        for (;;) {
            const char c = take();
            if (c == '"') return out;
            sim_check(static_cast<unsigned char>(c) >= 0x20, "escapes control characters in JSON");
            if (c != '\\') {
                out.push_back(c);
                continue;
            }
            switch (const char e = take()) {
                case 'n': out.push_back('\n'); break;
                case 't': out.push_back('\t'); break;
                case 'r': out.push_back('\r'); break;
                case 'b': out.push_back('\b'); break;
                case 'f': out.push_back('\f'); break;
                case 'u': append_utf8(out, hex4()); break;
                default: out.push_back(e); break;
            }
        }
    }

    JsonField value() {
        if (peek() == '"') return {true, string()};
        const std::size_t from = at_;
        int depth = 0;
        while (depth != 0 || (peek() != ',' && peek() != '}' && peek() != ']')) {
            const char c = peek();
            if (c == '"') {
                static_cast<void>(string());
                continue;
            }
            depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
            ++at_;
        }
        return {false, std::string(text_.substr(from, at_ - from))};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

JsonObject read_json_object(std::string_view text) { return JsonReader(text).object(); }

std::string field(const JsonObject& object, const std::string& name) {
    const auto it = object.find(name);
    return it == object.end() ? std::string() : it->second.text;
}

}  // namespace spillway::test
