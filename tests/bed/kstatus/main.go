// kstatus reads objects, one JSON document a line, and prints what the kstatus library of sigs.k8s.io/cli-utils says of each:
// a line of JSON with status and message. Flux, kpt and Helm's wait judge by this library or in its way.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	for line := 1; in.Scan(); line++ {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(in.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		result, err := status.Compute(object)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := out.Encode(verdict{result.Status.String(), result.Message}); err != nil {
			return err
		}
	}
	return in.Err()
}
