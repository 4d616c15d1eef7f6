// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Known answers of the standards and of the protocol's documents, and what must not match.
#include "crypto/digest.h"

#include <string>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace crypto = spillway::crypto;

namespace {

constexpr std::string_view kSecret = "7ad3773142a6692b25b8";
constexpr std::string_view kMessage = "1234.1234:private-foobar";
constexpr std::string_view kSignature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";

}  // namespace

TEST_CASE("SHA-1 gives the accept key of RFC 6455 section 1.3") {
    CHECK(crypto::sha1_base64("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11") ==
          "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("MD5 gives the answers of RFC 1321 and of the HTTP API's example") {
    CHECK(crypto::md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(crypto::md5_hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
    CHECK(crypto::md5_hex(R"({"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"})") ==
          "ec365a775a4cd0599faeb73354201b6f");
}

TEST_CASE("HMAC-SHA256 gives the answers of RFC 4231") {
    CHECK(crypto::hmac_sha256_hex("Jefe", "what do ya want for nothing?") ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(crypto::hmac_sha256_hex(std::string(20, '\x0b'), "Hi There") ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    // Case 6: a key longer than the block.
    CHECK(crypto::hmac_sha256_hex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First") ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("HMAC-SHA256 of an empty secret and an empty message is defined") {
    CHECK(crypto::hmac_sha256_hex("", "") == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("a message in pieces has the signature of the whole") {
    CHECK(crypto::hmac_sha256_hex(kSecret, kMessage) == kSignature);
    CHECK(crypto::hmac_sha256_hex(kSecret, {"1234.1234", ":", "", "private-foobar"}) == kSignature);
    CHECK(crypto::hmac_sha256_hex(kSecret, {"1234.1234:", "private-fooba"}) != kSignature);
}

TEST_CASE("more secrets than are remembered still give each its own signature") {
    std::vector<std::string> first;
    for (int i = 0; i < 30; ++i) first.push_back(crypto::hmac_sha256_hex("secret " + std::to_string(i), kMessage));
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 30; ++i) {
            CHECK(crypto::hmac_sha256_hex("secret " + std::to_string(i), kMessage) ==
                  first[static_cast<std::size_t>(i)]);
        }
    }
    CHECK(first[3] != first[4]);
}

TEST_CASE("a signature matches in lower case and full length only") {
    const auto matches = [](std::string_view hex) { return crypto::hmac_sha256_matches(kSecret, {kMessage}, hex); };
    CHECK(matches(kSignature));

    std::string upper(kSignature);
    for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    CHECK_FALSE(matches(upper));
    CHECK_FALSE(matches(""));
    CHECK_FALSE(matches(kSignature.substr(0, 63)));
    CHECK_FALSE(matches(std::string(kSignature) + "0"));
    CHECK_FALSE(matches(" " + std::string(kSignature.substr(1))));
    CHECK_FALSE(matches(std::string(64, '\0')));
    for (std::size_t i = 0; i < kSignature.size(); ++i) {
        std::string wrong(kSignature);
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        CHECK_FALSE(matches(wrong));
    }
    CHECK_FALSE(crypto::hmac_sha256_matches("another secret", {kMessage}, kSignature));
}

TEST_CASE("constant-time equality is equality") {
    CHECK(crypto::equal_constant_time("", ""));
    CHECK(crypto::equal_constant_time("key", "key"));
    CHECK_FALSE(crypto::equal_constant_time("key", "kez"));
    CHECK_FALSE(crypto::equal_constant_time("key", "key "));
    CHECK_FALSE(crypto::equal_constant_time("key", ""));
    CHECK_FALSE(crypto::equal_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST_CASE("threads sign side by side without disturbing each other") {
    std::vector<std::thread> threads;
    std::vector<int> wrong(4, 0);
    for (std::size_t t = 0; t < wrong.size(); ++t) {
        threads.emplace_back([&wrong, t] {
            for (int i = 0; i < 500; ++i) wrong[t] += crypto::hmac_sha256_hex(kSecret, kMessage) != kSignature;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4, 0));
}
