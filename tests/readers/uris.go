// FILE of URIs, one a line -> a line each: what it names in Go: "-" for none. A slash at the end is kept: folders are not compared.
package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
)

func named(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return "-"
	}
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil {
		return "-"
	}
	where, end := u.Opaque, ""
	if where == "" {
		where = u.Path
	}
	if strings.HasSuffix(where, "/") && u.Scheme != "file" {
		end = "/"
	}
	host := u.Host
	switch u.Scheme {
	case "http", "https", "ws", "wss", "ftp", "file": // of others it is a name of its own, letter case included
		host = strings.ToLower(host)
	}
	return fmt.Sprintf("%q %q %q %q %t %q", u.Scheme, u.User.String(), host, path.Clean(where)+end, u.Opaque != "", query)
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	lines, out := bufio.NewScanner(file), bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		fmt.Fprintln(out, named(lines.Text()))
	}
	out.Flush()
}
