/* tokens.c: makes what a benchmark run needs of keys: a certificate, a key set, many access tokens and bad
 * ones. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOKEN_LIFETIME 86400
#define TOKEN_ROOM     2048
#define SIGNERS_MAX    8

static const char *issuer, *audience;
static time_t now;

static void die(const char *what)
{
    fprintf(stderr, "tokens: %s\n", what);
    exit(1);
}

static FILE *create(const char *name, mode_t mode)
{
    umask((mode_t)(0777 & ~mode));
    unlink(name);
    FILE *file = fopen(name, "wxe");
    if (file == NULL)
        die(name);
    return file;
}

static void finish(FILE *file)
{
    if (fclose(file) != 0)
        die("write");
}

/* ---- base64url */

static size_t base64url(const unsigned char *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)data[i] << 16;
        bits |= i + 1 < len ? (unsigned)data[i + 1] << 8 : 0;
        bits |= i + 2 < len ? (unsigned)data[i + 2] : 0;
        size_t count = i + 2 < len ? 4 : len - i + 1;
        for (size_t k = 0; k < count; k++)
            out[n++] = digits[bits >> (18 - 6 * k) & 63];
    }
    out[n] = '\0';
    return n;
}

/* ---- signing */

struct kind {
    const char *alg, *kid, *file;
    EVP_PKEY *key;
};

/* JWS wants r and s side by side (RFC 7518 section 3.4), OpenSSL gives them in DER. */
static size_t flat_signature(unsigned char *sig, size_t len)
{
    const unsigned char *at = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    if (pair == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(pair), sig, 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), sig + 32, 32) != 32)
        die("ECDSA signature");
    ECDSA_SIG_free(pair);
    return 64;
}

static size_t sign(const struct kind *kind, const char *text, size_t text_len, unsigned char *sig,
                   size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = room;
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, kind->key) != 1 ||
        EVP_DigestSign(context, sig, &len, (const unsigned char *)text, text_len) != 1)
        die("sign");
    EVP_MD_CTX_free(context);
    return EVP_PKEY_get_base_id(kind->key) == EVP_PKEY_EC ? flat_signature(sig, len) : len;
}

struct claims {
    const char *aud;
    long lifetime;
    unsigned number;
};

static void make_token(const struct kind *kind, const struct claims *claims, char *out)
{
    char text[1024];
    unsigned char sig[1024];
    int len = snprintf(text, sizeof(text), "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", kind->alg,
                       kind->kid);
    size_t n = base64url((unsigned char *)text, (size_t)len, out);
    out[n++] = '.';
    len = snprintf(text, sizeof(text),
                   "{\"iss\":\"%s\",\"sub\":\"user-%08u\",\"aud\":\"%s\",\"exp\":%ld,\"iat\":%ld,\"nbf\":%ld,"
                   "\"jti\":\"01930f5e-7c1a-7b3d-9e2f-%012u\",\"client_id\":\"mcp-client-7f3a\","
                   "\"scope\":\"mcp:tools mcp:read\",\"azp\":\"mcp-client-7f3a\"}",
                   issuer, claims->number, claims->aud, (long)now + claims->lifetime, (long)now - 120,
                   (long)now - 120, claims->number);
    if (len >= (int)sizeof(text))
        die("claims too long");
    n += base64url((unsigned char *)text, (size_t)len, out + n);
    size_t sig_len = sign(kind, out, n, sig, sizeof(sig));
    out[n++] = '.';
    base64url(sig, sig_len, out + n);
}

static void write_token(const struct kind *kind, const char *suffix, const char *token)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.%s", kind->file, suffix);
    FILE *file = create(name, 0644);
    fprintf(file, "%s\n", token);
    finish(file);
}

/* The tokens a gateway must refuse, and their good twin. */
static void write_probes(const struct kind *kind)
{
    char token[TOKEN_ROOM];
    make_token(kind, &(struct claims){ audience, TOKEN_LIFETIME, 0 }, token);
    write_token(kind, "good", token);
    char *sig = strrchr(token, '.') + 1;
    sig[20] = sig[20] == 'A' ? 'B' : 'A';
    write_token(kind, "forged", token);
    make_token(kind, &(struct claims){ audience, -600, 1 }, token);
    write_token(kind, "expired", token);
    make_token(kind, &(struct claims){ "https://other.test/mcp", TOKEN_LIFETIME, 1 }, token);
    write_token(kind, "audience", token);
}

static void write_part(const struct kind *kind, const char *name, unsigned first, unsigned end)
{
    char token[TOKEN_ROOM];
    FILE *file = create(name, 0644);
    for (unsigned i = first; i < end; i++) {
        make_token(kind, &(struct claims){ audience, TOKEN_LIFETIME, i }, token);
        fprintf(file, "%s\n", token);
    }
    finish(file);
}

static void append(FILE *out, const char *name)
{
    char block[65536];
    size_t n;
    FILE *in = fopen(name, "re");
    while (in != NULL && (n = fread(block, 1, sizeof(block), in)) > 0)
        fwrite(block, 1, n, out);
    if (in == NULL || fclose(in) != 0)
        die(name);
    unlink(name);
}

/* RSA signatures take most of the time, so each CPU makes its share of them. */
static void write_many(const struct kind *kind, unsigned count)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned parts = cpus < 1 ? 1 : cpus > SIGNERS_MAX ? SIGNERS_MAX : (unsigned)cpus;
    char name[64];
    for (unsigned part = 0; part < parts; part++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child > 0)
            continue;
        snprintf(name, sizeof(name), "%s.part%u", kind->file, part);
        write_part(kind, name, count * part / parts, count * (part + 1) / parts);
        exit(0);
    }
    for (int status; wait(&status) > 0;)
        if (status != 0)
            die("a signer failed");
    snprintf(name, sizeof(name), "%s.many", kind->file);
    FILE *all = create(name, 0644);
    for (unsigned part = 0; part < parts; part++) {
        snprintf(name, sizeof(name), "%s.part%u", kind->file, part);
        append(all, name);
    }
    finish(all);
}

/* ---- keys and certificate */

static void write_number(FILE *file, const char *member, EVP_PKEY *key, const char *param, int size)
{
    BIGNUM *number = NULL;
    unsigned char bytes[512];
    char text[700];
    if (EVP_PKEY_get_bn_param(key, param, &number) != 1)
        die(param);
    int len = size > 0 ? size : BN_num_bytes(number);
    BN_bn2binpad(number, bytes, len);
    base64url(bytes, (size_t)len, text);
    fprintf(file, ",\"%s\":\"%s\"", member, text);
    BN_free(number);
}

static void write_jwks(const struct kind *rsa, const struct kind *ec)
{
    FILE *file = create("jwks.json", 0644);
    fprintf(file, "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"%s\",\"kid\":\"%s\"", rsa->alg,
            rsa->kid);
    write_number(file, "n", rsa->key, OSSL_PKEY_PARAM_RSA_N, 0);
    write_number(file, "e", rsa->key, OSSL_PKEY_PARAM_RSA_E, 0);
    fprintf(file, "},{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"%s\",\"kid\":\"%s\"",
            ec->alg, ec->kid);
    write_number(file, "x", ec->key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    write_number(file, "y", ec->key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    fputs("}]}\n", file);
    finish(file);
}

static void write_public(const struct kind *kind)
{
    char name[64];
    snprintf(name, sizeof(name), "%s.pub.pem", kind->file);
    FILE *file = create(name, 0644);
    PEM_write_PUBKEY(file, kind->key);
    finish(file);
}

static void write_certificate(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 30 * 86400L);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"gw.test", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:gw.test,IP:127.0.0.1");
    if (names == NULL || X509_add_ext(cert, names, -1) != 1 || X509_sign(cert, key, EVP_sha256()) == 0)
        die("certificate");
    X509_EXTENSION_free(names);
    const char *const files[] = { "tls.crt", "tls.key", "tls.pem" }; /* the last holds both, for haproxy */
    for (int i = 0; i < 3; i++) {
        FILE *file = create(files[i], i == 0 ? 0644 : 0600);
        if (i != 1)
            PEM_write_X509(file, cert);
        if (i != 0)
            PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
        finish(file);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    if (argc != 5 || chdir(argv[1]) != 0) {
        fputs("tokens DIR ISSUER AUDIENCE COUNT\n", stderr);
        return 2;
    }
    issuer = argv[2];
    audience = argv[3];
    now = time(NULL);
    struct kind rsa = { "RS256", "rs-bench", "rs256", EVP_RSA_gen(2048) };
    struct kind ec = { "ES256", "es-bench", "es256", EVP_EC_gen("P-256") };
    if (rsa.key == NULL || ec.key == NULL)
        die("keys");
    write_certificate();
    write_jwks(&rsa, &ec);
    const struct kind *const kinds[] = { &rsa, &ec };
    for (int i = 0; i < 2; i++) {
        write_public(kinds[i]);
        write_probes(kinds[i]);
        write_many(kinds[i], (unsigned)strtoul(argv[4], NULL, 10));
    }
    EVP_PKEY_free(rsa.key);
    EVP_PKEY_free(ec.key);
    return 0;
}
