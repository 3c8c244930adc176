"""The bibliography: what the keys in ``Source:`` lines mean."""

from __future__ import annotations

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper, or code that serves as one."""

    authors: str
    year: int
    title: str


PAPERS: dict[str, Paper] = {
    "SCGAN": Paper(
        "Drozdova, Kinakh, Quétant, Golling, Voloshynovskiy",
        2021,
        "Generation of data on discontinuous manifolds via continuous stochastic non-invertible "
        "networks",
    ),
    "INFOSCC-GAN": Paper(
        "Kinakh, Drozdova, Quétant, Golling, Voloshynovskiy",
        2021,
        "Information-theoretic stochastic contrastive conditional GAN: InfoSCC-GAN",
    ),
    "EIGENGAN": Paper("He, Kan, Shan", 2021, "EigenGAN: Layer-wise eigen-learning for GANs"),
    "VASICEK": Paper("Vasicek", 1976, "A test for normality based on sample entropy"),
    "SIMCLR": Paper(
        "Chen, Kornblith, Norouzi, Hinton",
        2020,
        "A simple framework for contrastive learning of visual representations",
    ),
    "BYOL": Paper(
        "Grill, Strub, Altché, Tallec, Richemond, Buchatskaya, Doersch, Ávila Pires, Guo, "
        "Gheshlaghi Azar, Piot, Kavukcuoglu, Munos, Valko",
        2020,
        "Bootstrap your own latent: A new approach to self-supervised learning",
    ),
    "BARLOW-TWINS": Paper(
        "Zbontar, Jing, Misra, LeCun, Deny",
        2021,
        "Barlow Twins: Self-supervised learning via redundancy reduction",
    ),
    "RESNET": Paper("He, Zhang, Ren, Sun", 2016, "Deep residual learning for image recognition"),
    "PIX2PIX": Paper(
        "Isola, Zhu, Zhou, Efros",
        2017,
        "Image-to-image translation with conditional adversarial networks",
    ),
    "CHECKERBOARD": Paper(
        "Odena, Dumoulin, Olah", 2016, "Deconvolution and checkerboard artifacts"
    ),
    "DIFFAUGMENT": Paper(
        "Zhao, Liu, Lin, Zhu, Han",
        2020,
        "Differentiable augmentation for data-efficient GAN training",
    ),
    "CPC": Paper(
        "van den Oord, Li, Vinyals",
        2018,
        "Representation learning with contrastive predictive coding",
    ),
    "AAE": Paper("Makhzani, Shlens, Jaitly, Goodfellow", 2015, "Adversarial autoencoders"),
    "GAN": Paper(
        "Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio",
        2014,
        "Generative adversarial nets",
    ),
    "MMGAN": Paper(
        "Pandeva, Schubert",
        2019,
        "MMGAN: Generative adversarial networks for multi-modal distributions",
    ),
    "NEMGAN": Paper(
        "Mishra, Jayendran, Prathosh",
        2018,
        "Unsupervised conditional generation using noise engineered mode matching GAN",
    ),
    "NEMGAN-P": Paper(
        "Mishra, Jayendran, Prathosh",
        2020,
        "Effect of the latent structure on clustering with GANs",
    ),
    "AM-SOFTMAX": Paper(
        "Wang, Cheng, Liu, Liu", 2018, "Additive margin softmax for face verification"
    ),
    "IMSAT": Paper(
        "Hu, Miyato, Tokui, Matsumoto, Sugiyama",
        2017,
        "Learning discrete representations via information maximizing self-augmented training",
    ),
    "DRS": Paper(
        "Azadi, Olsson, Darrell, Goodfellow, Odena", 2019, "Discriminator rejection sampling"
    ),
    "LRW": Paper(
        "Issenhuth, Tanielian, Picard, Mary",
        2022,
        "Latent reweighting, an almost free improvement for GANs",
    ),
    "CATBOOST": Paper(
        "Prokhorenkova, Gusev, Vorobev, Dorogush, Gulin",
        2018,
        "CatBoost: unbiased boosting with categorical features",
    ),
    "KNN-KL": Paper(
        "Wang, Kulkarni, Verdú",
        2009,
        "Divergence estimation for multidimensional densities via k-nearest-neighbor distances",
    ),
    "RELATIVISTIC": Paper(
        "Jolicoeur-Martineau",
        2018,
        "The relativistic discriminator: a key element missing from standard GAN",
    ),
    "CLUSTERGAN": Paper(
        "Mukherjee, Asnani, Lin, Kannan",
        2019,
        "ClusterGAN: Latent space clustering in generative adversarial networks",
    ),
    "GMVAE": Paper(
        "Shu",
        2016,
        "Gaussian mixture VAE: Lessons in variational inference, generative models, and deep nets",
    ),
    "VAE": Paper("Kingma, Welling", 2014, "Auto-encoding variational Bayes"),
    "DCGAN": Paper(
        "Radford, Metz, Chintala",
        2016,
        "Unsupervised representation learning with deep convolutional generative adversarial "
        "networks",
    ),
    "GEOMETRIC-GAN": Paper("Lim, Ye", 2017, "Geometric GAN"),
    "LSGAN": Paper(
        "Mao, Li, Xie, Lau, Wang, Smolley", 2017, "Least squares generative adversarial networks"
    ),
    "R1": Paper(
        "Mescheder, Geiger, Nowozin", 2018, "Which training methods for GANs do actually converge?"
    ),
    "PACGAN": Paper(
        "Lin, Khetan, Fanti, Oh",
        2018,
        "PacGAN: the power of two samples in generative adversarial networks",
    ),
    "SNGAN": Paper(
        "Miyato, Kataoka, Koyama, Yoshida",
        2018,
        "Spectral normalization for generative adversarial networks",
    ),
    "PROJECTION": Paper("Miyato, Koyama", 2018, "cGANs with projection discriminator"),
    "STYLEGAN2": Paper(
        "Karras, Laine, Aittala, Hellsten, Lehtinen, Aila",
        2020,
        "Analyzing and improving the image quality of StyleGAN",
    ),
    "EDM": Paper(
        "Karras, Aittala, Aila, Laine",
        2022,
        "Elucidating the design space of diffusion-based generative models",
    ),
    "LLOYD": Paper("Lloyd", 1982, "Least squares quantization in PCM"),
    "SURVAE": Paper(
        "Nielsen, Jaini, Hoogeboom, Winther, Welling",
        2020,
        "SurVAE flows: surjections to bridge the gap between VAEs and flows",
    ),
    "VEEGAN": Paper(
        "Srivastava, Valkov, Russell, Gutmann, Sutton",
        2017,
        "VEEGAN: reducing mode collapse in GANs using implicit variational learning",
    ),
    "SLICED-W": Paper(
        "Rabin, Peyré, Delon, Bernot",
        2012,
        "Wasserstein barycenter and its application to texture mixing",
    ),
    "DENSITY": Paper(
        "Naeem, Oh, Uh, Choi, Yoo",
        2020,
        "Reliable fidelity and diversity metrics for generative models",
    ),
    "ALPHA": Paper(
        "Alaa, van Breugel, Saveliev, van der Schaar",
        2022,
        "How faithful is your synthetic data? Sample-level metrics for evaluating and auditing "
        "generative models",
    ),
    "SDMETRICS": Paper(
        "DataCebo", 2025, "SDMetrics: the Synthetic Data Vault's library of metrics"
    ),
    "TABPC": Paper(
        "Scassola, Ponsford, Javaloy, Saccani, Bortolussi, Gouk, Vergari",
        2026,
        "A sobering look at tabular data generation via probabilistic circuits",
    ),
    "ENERGY": Paper(
        "Székely, Rizzo", 2013, "Energy statistics: a class of statistics based on distances"
    ),
    "SCORING-RULES": Paper(
        "Gneiting, Raftery", 2007, "Strictly proper scoring rules, prediction, and estimation"
    ),
    "FID": Paper(
        "Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter",
        2017,
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
    ),
    "KID": Paper("Bińkowski, Sutherland, Arbel, Gretton", 2018, "Demystifying MMD GANs"),
    "IS": Paper(
        "Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen",
        2016,
        "Improved techniques for training GANs",
    ),
    "INCEPTION": Paper(
        "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna",
        2016,
        "Rethinking the Inception architecture for computer vision",
    ),
    "TSNE": Paper("van der Maaten, Hinton", 2008, "Visualizing data using t-SNE"),
    "CHAN": Paper(
        "Chan, Golub, LeVeque",
        1979,
        "Updating formulae and a pairwise algorithm for computing sample variances",
    ),
    "SCULLEY": Paper("Sculley", 2010, "Web-scale k-means clustering"),
    "C2ST": Paper("Lopez-Paz, Oquab", 2017, "Revisiting classifier two-sample tests"),
    "SPLINE-FLOW": Paper("Durkan, Bekasov, Murray, Papamakarios", 2019, "Neural spline flows"),
    "I-FLOW": Paper(
        "Gao, Isaacson, Krause",
        2020,
        "i-flow: high-dimensional integration and sampling with normalizing flows",
    ),
}
