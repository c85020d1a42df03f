// Fluxsubst replaces ${NAME} as Flux does (postBuild.substitute), by the library Flux uses: text on stdin, NAME=VALUE as
// arguments, text on stdout. A name that has no value becomes empty, as it does there.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
)

func main() {
	values := map[string]string{}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		values[name] = value
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	replaced, err := envsubst.Eval(string(text), func(name string) (string, bool) {
		value, known := values[name]
		return value, known
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(replaced)
}
