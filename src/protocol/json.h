// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Reading JSON from strangers: one parse into memory that is reused, depth bounded, UTF-8 checked, numbers kept as
// they were written (so neither 1e999999 nor a megabyte of digits is an event). The library behind it is known to
// json.cpp only.
//
// Same key twice: the last one counts, as in JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

struct yyjson_doc;
struct yyjson_val;

namespace spillway::protocol {

enum class JsonKind : std::uint8_t { absent, null, boolean, number, string, array, object };

struct JsonMember;

/// A value inside a JsonArena's document, valid until that arena parses again or dies. Cheap to copy. A default one
/// is absent.
class JsonValue {
public:
    JsonValue() = default;
    explicit JsonValue(yyjson_val* value) : value_(value) {}

    [[nodiscard]] JsonKind kind() const;
    [[nodiscard]] bool is_absent_or_null() const;
    [[nodiscard]] bool is_string() const { return kind() == JsonKind::string; }

    /// Text of a string (escapes undone, may hold NUL) or of a number as written; empty for all else.
    [[nodiscard]] std::string_view text() const;
    /// Elements of an array or members of an object; 0 for all else.
    [[nodiscard]] std::size_t size() const;
    /// Value of the last member of this name; absent if there is none or this is no object.
    [[nodiscard]] JsonValue member(std::string_view name) const;
    /// The same with its place, which raw_member() wants.
    [[nodiscard]] JsonMember find(std::string_view name) const;

private:
    friend class JsonElements;
    yyjson_val* value_ = nullptr;
};

struct JsonMember {
    JsonValue value;
    std::size_t index = 0;  // 0-based place among the members; meaningless when the value is absent
};

/// The elements of an array in order; none if it is no array.
class JsonElements {
public:
    explicit JsonElements(JsonValue array);
    /// The next element, absent after the last.
    [[nodiscard]] JsonValue next();

private:
    yyjson_val* next_ = nullptr;
    std::size_t left_ = 0;
};

/// The values of an array or object as they are written: an iterator over text that a JsonArena has accepted.
class JsonText {
public:
    /// `container` is the text of a valid array or object; white space around it is tolerated.
    explicit JsonText(std::string_view container);
    /// Text of the next element or member value, without white space around it; empty after the last.
    [[nodiscard]] std::string_view next();

private:
    const char* at_;
    const char* end_;
    bool object_;
};

/// The bytes of the index-th member's value of an object's text that a JsonArena has accepted.
[[nodiscard]] std::string_view raw_member(std::string_view object_text, std::size_t index);

struct JsonError {
    std::string_view reason;  // static storage
};

/// Memory for one document, reused from parse to parse: no allocation once it has grown to the usual message.
/// Documents over kKeptTextBytesMax are parsed in memory of their own, given back with the next parse. Not for
/// sharing between threads.
class JsonArena {
public:
    static constexpr std::size_t kKeptTextBytesMax = 64 * 1024;

    JsonArena();
    JsonArena(JsonArena&&) noexcept;
    JsonArena& operator=(JsonArena&&) noexcept;
    ~JsonArena();

    /// The root of the document, or why `text` is none: not JSON (RFC 8259, UTF-8), or nested deeper than
    /// kJsonDepthMax. Values of the parse before are gone.
    [[nodiscard]] std::expected<JsonValue, JsonError> parse(std::string_view text);

private:
    void drop_document();

    std::unique_ptr<char[]> memory_;
    std::size_t memory_bytes_ = 0;
    yyjson_doc* large_document_ = nullptr;  // in memory of its own, to be freed
};

/// Whether brackets outside strings nest deeper than `depth_max`. For text that is not JSON the answer means nothing.
[[nodiscard]] bool nests_deeper_than(std::string_view text, std::size_t depth_max);

}  // namespace spillway::protocol
