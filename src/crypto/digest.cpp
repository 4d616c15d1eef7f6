// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL looks an algorithm up by name, under locks, whenever it is asked for one, and re-derives both HMAC pads for
// every key it is given: several times the cost of the digest itself. So algorithms are fetched once per process,
// contexts once per thread, and the keyed context of the secrets used last is kept and only rewound.
#include "crypto/digest.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/assert.h"

namespace spillway::crypto {
namespace {

constexpr std::size_t kSha1Bytes = 20;
constexpr std::size_t kMd5Bytes = 16;
constexpr std::size_t kSha256Bytes = 32;
constexpr char kHexDigits[] = "0123456789abcdef";

template <auto free>
struct Free {
    void operator()(auto* pointer) const { free(pointer); }
};
using Digest = std::unique_ptr<EVP_MD, Free<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Free<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Free<EVP_MAC_CTX_free>>;

/// With an algorithm and a key that it took once, OpenSSL fails for want of memory alone.
void need(bool done) {
    if (!done) throw std::bad_alloc();
}

/// Never freed: OpenSSL's own clean-up at exit may come first.
const EVP_MD* fetch(const char* name) {
    const EVP_MD* digest = EVP_MD_fetch(nullptr, name, nullptr);
    SPILLWAY_ASSERT(digest != nullptr);  // not in this build of OpenSSL, or forbidden by its configuration
    return digest;
}

template <std::size_t kBytes>
std::array<unsigned char, kBytes> digest(const EVP_MD* algorithm, std::string_view message) {
    thread_local const DigestContext context{EVP_MD_CTX_new()};
    std::array<unsigned char, kBytes> result;
    unsigned length = 0;
    const bool done = context != nullptr && EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                      EVP_DigestUpdate(context.get(), message.data(), message.size()) == 1 &&
                      EVP_DigestFinal_ex(context.get(), result.data(), &length) == 1;
    need(done);
    SPILLWAY_ASSERT(length == kBytes);
    return result;
}

void write_hex(std::span<const unsigned char> bytes, char* out) {
    for (const unsigned char byte : bytes) {
        *out++ = kHexDigits[byte >> 4];
        *out++ = kHexDigits[byte & 15];
    }
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

/// HMAC contexts keyed with the secrets this thread used last.
class KeyedMacs {
public:
    /// A context for `secret`, ready for the first piece.
    EVP_MAC_CTX* ready_for(std::string_view secret) {
        Entry& entry = find(secret);
        entry.used = ++clock_;
        // Without a key: back to the state just after the key.
        need(EVP_MAC_init(entry.context.get(), nullptr, 0, nullptr) == 1);
        return entry.context.get();
    }

private:
    struct Entry {
        std::string secret;
        MacContext context;
        std::uint64_t used = 0;  // 0: never
        ~Entry() { wipe(); }
        void wipe() { OPENSSL_cleanse(secret.data(), secret.size()); }
    };

    Entry& find(std::string_view secret) {
        for (Entry& entry : entries_) {
            if (entry.used != 0 && entry.secret == secret) return entry;
        }
        Entry& oldest = *std::ranges::min_element(entries_, {}, &Entry::used);
        oldest.wipe();
        oldest.secret = secret;
        oldest.context = keyed(secret);
        return oldest;
    }

    static MacContext keyed(std::string_view secret) {
        static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);  // never freed, as in fetch()
        SPILLWAY_ASSERT(hmac != nullptr);
        MacContext context{EVP_MAC_CTX_new(hmac)};
        char algorithm[] = "SHA256";
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, algorithm, 0),
                                     OSSL_PARAM_construct_end()};
        const bool done =
            context != nullptr && EVP_MAC_init(context.get(), bytes_of(secret), secret.size(), params) == 1;
        need(done);
        return context;
    }

    static constexpr std::size_t kSecretsKept = 8;  // a linear search stays cheaper than one key set-up
    std::array<Entry, kSecretsKept> entries_;
    std::uint64_t clock_ = 0;
};

}  // namespace

std::string sha1_base64(std::string_view message) {
    static const EVP_MD* const sha1 = fetch("SHA1");
    const auto bytes = digest<kSha1Bytes>(sha1, message);
    unsigned char text[4 * ((kSha1Bytes + 2) / 3) + 1];
    const int length = EVP_EncodeBlock(text, bytes.data(), kSha1Bytes);
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)};
}

std::string md5_hex(std::string_view message) {
    static const EVP_MD* const md5 = fetch("MD5");
    const auto bytes = digest<kMd5Bytes>(md5, message);
    std::string hex(2 * kMd5Bytes, '\0');
    write_hex(bytes, hex.data());
    return hex;
}

HmacSha256Hex hmac_sha256(std::string_view secret, std::span<const std::string_view> pieces) {
    thread_local KeyedMacs macs;
    EVP_MAC_CTX* const context = macs.ready_for(secret);
    bool done = true;
    for (const std::string_view piece : pieces) {
        done = done && EVP_MAC_update(context, bytes_of(piece), piece.size()) == 1;
    }
    std::array<unsigned char, kSha256Bytes> bytes;
    std::size_t length = 0;
    done = done && EVP_MAC_final(context, bytes.data(), &length, bytes.size()) == 1;
    need(done);
    SPILLWAY_ASSERT(length == kSha256Bytes);
    HmacSha256Hex hex;
    write_hex(bytes, hex.data());
    return hex;
}

std::string hmac_sha256_hex(std::string_view secret, std::string_view message) {
    return hmac_sha256_hex(secret, {message});
}

std::string hmac_sha256_hex(std::string_view secret, std::span<const std::string_view> pieces) {
    const HmacSha256Hex hex = hmac_sha256(secret, pieces);
    return {hex.data(), hex.size()};
}

std::string hmac_sha256_hex(std::string_view secret, std::initializer_list<std::string_view> pieces) {
    return hmac_sha256_hex(secret, std::span(pieces.begin(), pieces.size()));
}

bool hmac_sha256_matches(std::string_view secret, std::span<const std::string_view> pieces, std::string_view hex) {
    const HmacSha256Hex expected = hmac_sha256(secret, pieces);
    return equal_constant_time({expected.data(), expected.size()}, hex);
}

bool hmac_sha256_matches(std::string_view secret, std::initializer_list<std::string_view> pieces,
                         std::string_view hex) {
    return hmac_sha256_matches(secret, std::span(pieces.begin(), pieces.size()), hex);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace spillway::crypto
