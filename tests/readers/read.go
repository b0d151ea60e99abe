// FILE of bodies -> a line each: what a server in Go reads, whose members are found without regard to case.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
)

type reference struct {
	Type, Name, URI *string
}

type params struct {
	Name *string    `json:"name"`
	URI  *string    `json:"uri"`
	Ref  *reference `json:"ref"`

	Arguments json.RawMessage `json:"arguments"`
}

type arguments struct {
	Amount any `json:"amount"`
	To     []struct {
		Account any `json:"account"`
	} `json:"to"`
}

func value(of any) string {
	switch of := of.(type) {
	case nil:
		return "z" // or nothing
	case string:
		return "s" + text(&of)
	case bool:
		if of {
			return "b1"
		}
		return "b0"
	case float64:
		return fmt.Sprintf("n%016x", math.Float64bits(of+0))
	}
	return "o"
}

// What it cannot take is "?": it would run nothing.
func values(raw json.RawMessage) string {
	var a arguments
	if len(raw) > 0 && json.Unmarshal(raw, &a) != nil {
		return "? ?"
	}
	if len(a.To) == 0 {
		return value(a.Amount) + " z"
	}
	return value(a.Amount) + " " + value(a.To[0].Account)
}

type message struct {
	Method *string         `json:"method"`
	Params json.RawMessage `json:"params"`
}

func text(value *string) string {
	if value == nil {
		return "-"
	}
	return hex.EncodeToString([]byte(*value)) + "."
}

func read(body []byte) string {
	var m message
	var p params
	if json.Unmarshal(body, &m) != nil {
		return "-"
	}
	if len(m.Params) > 0 && json.Unmarshal(m.Params, &p) != nil {
		return "-"
	}
	if p.Ref == nil {
		p.Ref = &reference{}
	}
	return fmt.Sprintf("%s %s %s %s %s %s %s", text(m.Method), text(p.Name), text(p.URI), text(p.Ref.Type), text(p.Ref.Name), text(p.Ref.URI),
		values(p.Arguments))
}

func main() {
	bytes, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	for len(bytes) > 0 {
		size := binary.LittleEndian.Uint32(bytes)
		fmt.Fprintln(out, read(bytes[4:4+size]))
		bytes = bytes[4+size:]
	}
	out.Flush()
}
