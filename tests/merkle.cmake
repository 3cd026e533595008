# The state tree, the Merkle log and proofs.
mayfly_test(NAME state_tree RUNG prop SOURCES prop/prop_state_tree.c LINK mf_state PRIVATE_OF state)
mayfly_test(NAME state_tree_threads RUNG prop SOURCES prop/prop_state_tree_threads.c LINK mf_state
  PRIVATE_OF state)
mayfly_test(NAME state_tree RUNG fault SOURCES fault/fault_state_tree.c LINK mf_state PRIVATE_OF state)
mayfly_test(NAME merkle RUNG unit SOURCES unit/test_merkle.c LINK mf_state PRIVATE_OF state)
mayfly_test(NAME merkle_log RUNG unit SOURCES unit/test_merkle_log.c LINK mf_state PRIVATE_OF state)
mayfly_test(NAME proof RUNG unit SOURCES unit/test_proof.c LINK mf_state PRIVATE_OF state)
mayfly_test(NAME proof_note RUNG unit SOURCES unit/test_proof_note.c lib/scratch.c LINK mf_state
  PRIVATE_OF state)
mayfly_fuzz(NAME proof SOURCES fuzz/fuzz_proof.c LINK mf_state
  CORPUS "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/proof")
mayfly_test(NAME state_prove RUNG unit SOURCES unit/state/prove_test.c LINK mf_state
  PRIVATE_OF state)
mayfly_script_test(NAME proof RUNG golden SCRIPT "${CMAKE_CURRENT_SOURCE_DIR}/golden/proof.sh")
