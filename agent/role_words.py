"""The words, library calls and base classes that give a symbol a role in training or in a language-model pipeline."""

from .code_map import Role

MODEL_BASES = frozenset({
    "torch.nn.Module", "torch.nn.Sequential", "keras.Model", "tensorflow.keras.Model", "flax.linen.Module",
    "equinox.Module", "pytorch_lightning.LightningModule", "lightning.LightningModule",
    "lightning.pytorch.LightningModule", "sklearn.base.BaseEstimator", "sklearn.base.ClassifierMixin",
    "sklearn.base.RegressorMixin", "transformers.PreTrainedModel",
})  # fmt: skip
LIGHTNING = "LightningModule"
MODEL_BASE_PACKAGES = ("torchvision.models.", "timm.models.", "torch_geometric.nn.models.")
MODEL_BASE_ENDS = ("PreTrainedModel", LIGHTNING, "ForCausalLM", "ForSequenceClassification", "ForTokenClassification")
TRAINER_ENDS = ("Trainer",)
"""`transformers.Trainer`, `trl.SFTTrainer` and their like; Lightning's too."""
DATA_BASES = frozenset({
    "Dataset", "IterableDataset", "TensorDataset", "LightningDataModule", "Sampler", "BatchSampler", "ConcatDataset",
    "DataLoader", "Subset", "ImageFolder",
})  # fmt: skip
METRIC_BASES = frozenset({"torchmetrics.Metric", "keras.metrics.Metric", "tensorflow.keras.metrics.Metric"})
RETRIEVAL_BASES = frozenset({"BaseRetriever", "VectorStore", "EmbeddingRetriever"})
LLM_BASES = frozenset({"BaseLLM", "LLM", "BaseChatModel", "SimpleChatModel", "CustomLLM"})
DATA_CALLS = frozenset({
    "DataLoader", "TensorDataset", "train_test_split", "random_split", "read_csv", "read_parquet", "load_dataset",
    "fetch_openml", "loadtxt", "genfromtxt", "image_dataset_from_directory", "load_from_disk", "from_tensor_slices",
})  # fmt: skip
ESTIMATOR_PACKAGES = (
    "sklearn.linear_model.", "sklearn.ensemble.", "sklearn.svm.", "sklearn.neighbors.", "sklearn.tree.",
    "sklearn.naive_bayes.", "sklearn.neural_network.", "sklearn.pipeline.", "sklearn.gaussian_process.",
    "sklearn.discriminant_analysis.", "xgboost.", "lightgbm.", "catboost.",
)  # fmt: skip
MODEL_CALLS = frozenset({"torch.nn.Sequential", "keras.Sequential", "tensorflow.keras.Sequential", "timm.create_model"})
MODEL_PACKAGES = ("torchvision.models", "keras.applications.", "tensorflow.keras.applications.", "segmentation_models_")
"""Packages whose functions and classes give models."""
OPTIMIZER_PACKAGES = ("torch.optim.", "optax.", "keras.optimizers.", "tensorflow.keras.optimizers.", "transformers.AdamW",
                      "bitsandbytes.optim.")  # fmt: skip
LOSS_WORDS = frozenset({"loss", "criterion", "losses"})
LOSS_CALLS = frozenset({"cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"})
EVALUATION_WORDS = frozenset(
    "eval evaluate evaluation evaluator validate validation test score metric metrics accuracy auc recall ndcg".split()
)
EVALUATION_FILES = frozenset({"evaluate", "evaluation", "eval", "metric", "metrics", "scoring", "evaluator"})
"""A file called so measures, whatever its functions are called."""
METRIC_PACKAGES = ("sklearn.metrics.", "torchmetrics.", "evaluate.load", "datasets.load_metric", "seqeval.metrics.",
                   "rouge_score.", "sacrebleu.", "nltk.translate.")  # fmt: skip
METRIC_NAMES = frozenset({
    "accuracy", "acc", "auc", "auroc", "recall", "precision", "ndcg", "mrr", "bleu", "rouge", "dice", "iou", "miou", "psnr",
    "ssim", "mcc", "perplexity", "ppl", "exact match", "hit rate", "hit ratio", "hits", "average precision", "map",
    "mean reciprocal rank", "rmse", "mape", "wer", "cer", "metric", "metrics", "f score", "em score",
})  # fmt: skip
NOT_MODELS = frozenset(
    {"scaler", "encoder", "tokenizer", "vectorizer", "pca", "imputer", "transformer", "preprocessor"}
)
LLM_PACKAGES = (
    "litellm.completion", "litellm.acompletion", "litellm.responses", "openai.ChatCompletion.", "openai.Completion.",
    "openai.chat.", "openai.responses.", "ollama.chat", "ollama.generate", "cohere.chat", "dspy.Predict",
    "dspy.ChainOfThought", "google.generativeai.generate_", "vllm.LLM",
)  # fmt: skip
LLM_CLIENTS = (
    "openai.OpenAI", "openai.AsyncOpenAI", "openai.AzureOpenAI", "openai.AsyncAzureOpenAI", "anthropic.Anthropic",
    "anthropic.AsyncAnthropic", "google.genai.Client", "google.generativeai.GenerativeModel", "mistralai.", "groq.Groq",
    "cohere.Client", "together.Together", "ollama.Client", "huggingface_hub.InferenceClient", "langchain_openai.Chat",
    "langchain_anthropic.Chat", "langchain.chat_models.", "langchain_community.chat_models.", "langchain.llms.",
    "langchain_community.llms.", "llama_index.llms.",
)  # fmt: skip
"""What makes a client: whatever makes one builds the way to the model."""
LLM_METHODS = (
    "chat.completions.create", "chat.completions.parse", "beta.chat.completions.parse", "messages.create",
    "messages.stream", "responses.create", "responses.parse", "models.generate_content", "generate_content",
    "generate_content_async", "chat_completion", "chat.complete", "invoke_model", "llm.invoke", "llm.ainvoke",
    "llm.predict", "llm.complete", "llm.chat", "llm.generate", "chat_model.invoke", "llm.acomplete", "llm.achat",
)  # fmt: skip
"""The last words of a call on a client."""
RETRIEVAL_PACKAGES = (
    "faiss.", "chromadb.", "qdrant_client.", "pinecone.", "weaviate.", "lancedb.", "rank_bm25.", "bm25s.", "annoy.",
    "hnswlib.", "pymilvus.", "elasticsearch.", "opensearchpy.", "sentence_transformers.util.semantic_search",
    "langchain.vectorstores.", "langchain_community.vectorstores.", "langchain_chroma.", "langchain.retrievers.",
    "langchain_community.retrievers.", "llama_index.core.VectorStoreIndex", "llama_index.VectorStoreIndex",
)  # fmt: skip
RETRIEVAL_METHODS = frozenset({
    "similarity_search", "similarity_search_with_score", "asimilarity_search", "get_relevant_documents", "as_retriever",
    "knn_query", "semantic_search", "query_points", "get_nns_by_vector", "max_marginal_relevance_search",
})  # fmt: skip
RETRIEVAL_WORDS = frozenset({
    "retrieve", "retriever", "retrieval", "rerank", "reranker", "vector store", "vectorstore", "bm", "semantic search",
    "vector search", "hybrid search", "similarity search", "search index", "search documents", "search docs",
    "search memories", "search memory", "nearest neighbors", "vector index", "search similar", "find similar",
})  # fmt: skip
MEMORY_WORDS = frozenset({"memory", "memories"})
NOT_MEMORY = frozenset({
    "replay", "usage", "gpu", "cuda", "peak", "size", "mb", "pin", "pinned", "efficient", "free", "cleanup", "release",
    "clear", "format", "print", "get", "estimate", "profile", "low", "attention", "shared", "used", "max", "track", "log",
    "test", "check", "stats", "error", "leak", "optimize", "system", "process", "bank", "kv", "limit", "contiguous",
})  # fmt: skip
"""Beside the word memory: of the machine, of a replay buffer, or of attention."""
ADDING = frozenset({"add", "insert", "store", "save", "upsert", "put", "remember", "write", "append", "ingest"})
ASKING = frozenset({"search", "retrieve", "query", "recall", "lookup"})
"""A class with a method that says one of each is a store."""
PROMPT_WORDS = frozenset({"prompt", "prompts"})

KEYWORD_ROLES: dict[str, Role] = {
    "compute_metrics": "metric", "metrics": "metric", "metric_fn": "metric", "metric": "metric", "eval_fn": "metric",
    "compute_loss_func": "loss", "loss_fn": "loss", "criterion": "loss", "loss": "loss", "loss_func": "loss",
    "data_collator": "data", "collate_fn": "data", "train_dataset": "data", "eval_dataset": "data", "datamodule": "data",
    "train_dataloader": "data", "train_dataloaders": "data", "batch_sampler": "data",
    "model_init": "model", "model": "model",
}  # fmt: skip
"""Of a call to a trainer, a data loader or `compile`: what the thing that is passed is for."""
TAKERS = ("Trainer", "DataLoader", ".compile", ".fit")
CONFIG_ROLES: dict[str, Role] = {
    "model": "model", "net": "model", "network": "model", "optimizer": "optimizer", "optim": "optimizer", "loss": "loss",
    "criterion": "loss", "data": "data", "datamodule": "data", "dataset": "data", "dataloader": "data",
    "metric": "metric", "metrics": "metric", "retriever": "retrieval", "memory": "memory", "llm": "llm_call",
}  # fmt: skip
"""The part of a configuration's path that says what its `_target_` is for."""
