/* support/certs.h: certificates and keys made for one test run, as PEM files in a folder that vanishes with
 * it. */
#ifndef GH_TEST_CERTS_H
#define GH_TEST_CERTS_H

#include <openssl/x509.h>

#include "gatehouse/types.h"

struct gh_identity {
    EVP_PKEY *key;
    X509 *cert;
    char cert_file[128], key_file[128];
};

struct gh_identity_plan {
    const char *name;                 /* the common name, and what the files are called */
    const char *key;                  /* "P-256" (also when NULL), "P-384", "P-224", "RSA-2048", "RSA-1024" */
    const char *san;                  /* as in openssl.cnf: "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const struct gh_identity *issuer; /* NULL: signed by itself */
    bool ca;
    const char *digest; /* NULL: SHA256 */
    long from_s, to_s;  /* validity, in seconds from now; both 0: an hour ago to in a day */
    long serial;        /* 0: 1 */
};

/* Makes both and writes them: the key with mode 0600. Ends the program when it cannot. */
struct gh_identity *gh_identity_new(const struct gh_identity_plan *plan);
void gh_identity_free(struct gh_identity *identity);
/* A file in the folder of this run; its path is static until the next call. */
const char *gh_test_file(const char *name, gh_str bytes, unsigned mode);

#endif
